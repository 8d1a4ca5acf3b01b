from blemore.prediction.system import code as code_of_prediction


rule export_system:
    input:
        scores="results/fusion/{ensemble}/scores.json",
        heads=trained(
            "results/heads/{encoder}/{head}/{model}.safetensors", fine_tuned=False
        ),
        checkpoints=trained("results/finetune/{encoder}/{model}", fine_tuned=True),
        weights=described_weights,
    output:
        system=directory("results/system/{ensemble}"),
    log:
        "results/logs/export_system/{ensemble}.log",
    benchmark:
        "results/benchmarks/export_system/{ensemble}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600),
        runtime=for_clips(30),
    params:
        cfg=settings("fusion", "average"),
        code=fingerprint("export_system.py", env="torch"),
        concatenations=lambda wildcards: {
            name: list(parts)
            for name, parts in sorted(config["concatenations"].items())
            if name in dict(ENSEMBLES[wildcards.ensemble])
        },
        features=lambda wildcards: pick(
            config, "features", encoders_of_ensemble(wildcards)
        ),
        heads=lambda wildcards: pick(
            config,
            "classify.heads",
            {head for _, head in ENSEMBLES[wildcards.ensemble]}
            & config["classify"]["heads"].keys(),
        ),
        media=settings("media", "audio", "body", "clips", "faces", "track"),
        members=lambda wildcards: [list(m) for m in ENSEMBLES[wildcards.ensemble]],
        models=MODELS,
        predicting=code_of_prediction(),
        runtime=runtime("weights"),
    script:
        "../workflow/scripts/export_system.py"


rule system:
    input:
        lambda wildcards: [
            f"results/system/{ensemble}"
            for ensemble in ENSEMBLES
            if ensemble in config["fusion"]["ensembles"]
        ],
