# New clips by an exported system, in the place of all rules that train.
from blemore.features.kinds import FINE_TUNED, OWN_HEAD


rule predict_head:
    input:
        manifest="results/features/{encoder}.json",
        store=ancient("results/features/{encoder}.zarr"),
        system=lambda wildcards: SYSTEM.path("system.json"),
        heads=ancient(exported_heads),
    output:
        stores=directory(
            of_models("results/probabilities/{encoder}/{head}/{model}.zarr")
        ),
        manifests=of_models("results/probabilities/{encoder}/{head}/{model}.json"),
        status="results/probabilities/{encoder}/{head}/status.json",
    log:
        "results/logs/predict_head/{encoder}/{head}.log",
    benchmark:
        "results/benchmarks/predict_head/{encoder}/{head}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(1400, per_clip=0.2),
        runtime=for_clips(15, per_clip=0.01),
    params:
        cfg={"system": SYSTEM.sha256},
        code=fingerprint("predict_head.py", env="torch"),
        recipe=settings("classify.heads", "{head}"),
    script:
        "../workflow/scripts/predict_head.py"


rule predict_finetuned:
    input:
        manifests=manifests_of_fine_tuned,
        media=ancient(media_of_fine_tuned),
        system=lambda wildcards: SYSTEM.path("system.json"),
    output:
        stores=directory(
            of_models(f"results/probabilities/{{encoder}}/{OWN_HEAD}/{{model}}.zarr")
        ),
        manifests=of_models(
            f"results/probabilities/{{encoder}}/{OWN_HEAD}/{{model}}.json"
        ),
        status=f"results/probabilities/{{encoder}}/{OWN_HEAD}/status.json",
    log:
        "results/logs/predict_finetuned/{encoder}.log",
    benchmark:
        "results/benchmarks/predict_finetuned/{encoder}.tsv"
    wildcard_constraints:
        encoder=of_kind(*FINE_TUNED),
    conda:
        "../envs/torch.yaml"
    threads: READERS
    resources:
        gpu=GPU,
        mem_mb=for_clips(6000),
        runtime=for_clips(30, per_clip=1),
    params:
        cfg={"system": SYSTEM.sha256},
        clips=lambda wildcards: [clip.clip for clip in CATALOGUE.clips],
        code=fingerprint("predict_finetuned.py", env="torch"),
        recipe=settings("features", "{encoder}"),
        runtime=runtime("device", "loader_workers"),
    script:
        "../workflow/scripts/predict_finetuned.py"


rule write_predictions:
    input:
        manifests=of_members(
            *of_models("results/probabilities/{encoder}/{head}/{model}.json")
        ),
        stores=ancient(
            of_members(
                *of_models("results/probabilities/{encoder}/{head}/{model}.zarr")
            )
        ),
        statuses=of_members("results/probabilities/{encoder}/{head}/status.json"),
    output:
        table="results/predictions/predictions.csv",
        predictions="results/predictions/predictions.json",
    log:
        "results/logs/write_predictions.log",
    benchmark:
        "results/benchmarks/write_predictions.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600, per_clip=0.05),
        runtime=for_clips(10),
    params:
        cfg={"sha256": SYSTEM.sha256, **SYSTEM.fusion},
        code=fingerprint("write_predictions.py", env="plain"),
        files=lambda wildcards: {clip.clip: clip.where for clip in CATALOGUE.clips},
        members=[list(member) for member in MEMBERS],
        models=len(SYSTEM.models),
    script:
        "../workflow/scripts/write_predictions.py"
