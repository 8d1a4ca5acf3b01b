rule fuse:
    input:
        manifests=member_stores(
            "results/probabilities/{encoder}/{head}/fold{fold}.json"
        ),
        stores=ancient(
            member_stores("results/probabilities/{encoder}/{head}/fold{fold}.zarr")
        ),
        retrained_manifests=retrained_stores(
            "results/probabilities/{encoder}/{head}/retrained.json"
        ),
        retrained=ancient(
            retrained_stores("results/probabilities/{encoder}/{head}/retrained.zarr")
        ),
        # How long the clips are; what else is in them reaches the probabilities.
        features=ancient(member_features),
        sheet="results/data/sheet.csv",
    output:
        decisions="results/fusion/{ensemble}/decisions.csv",
        test_decisions="results/fusion/{ensemble}/test_decisions.csv",
        scores="results/fusion/{ensemble}/scores.json",
    log:
        "results/logs/fuse/{ensemble}.log",
    benchmark:
        "results/benchmarks/fuse/{ensemble}.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600, per_clip=0.1),
        runtime=for_clips(10, per_clip=0.01),
    params:
        cfg=settings(
            "fusion", "average", "calibration", "resamples", "thresholds", "weights"
        ),
        classify=settings("classify", "early_stopping", "test_prediction"),
        code=fingerprint("fuse.py", env="plain"),
        members=lambda wildcards: [list(m) for m in ENSEMBLES[wildcards.ensemble]],
    script:
        "../workflow/scripts/fuse.py"


rule score_layers:
    input:
        manifests=of_layers("results/layer_curve/probabilities/{encoder}/{layers}.json"),
        stores=ancient(
            of_layers("results/layer_curve/probabilities/{encoder}/{layers}.zarr")
        ),
        sheet="results/data/sheet.csv",
    output:
        table=report(
            "results/layer_curve/scores.csv",
            caption="../workflow/report/layers.rst",
            category="Layers",
            labels={"what": "scores by layers", "format": "csv"},
        ),
        scores="results/layer_curve/scores.json",
        figure=report(
            "results/layer_curve/scores.svg",
            caption="../workflow/report/layers.rst",
            category="Layers",
            labels={"what": "scores by layers", "format": "svg"},
        ),
    log:
        "results/logs/score_layers.log",
    benchmark:
        "results/benchmarks/score_layers.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(700, per_clip=0.1),
        runtime=for_clips(10, per_clip=0.01),
    params:
        cfg=settings("fusion", "resamples", "thresholds"),
        classify=settings("classify", "early_stopping"),
        code=fingerprint("score_layers.py", env="plain"),
        encoder=config["layer_curve"]["encoder"],
        layers=list(layer_ranges(config["layer_curve"]["ranges"])),
        reference=range_name(*config["layer_curve"]["reference"]),
    script:
        "../workflow/scripts/score_layers.py"


rule layer_curve:
    input:
        "results/layer_curve/scores.csv",


rule write_submission:
    input:
        decisions="results/fusion/{ensemble}/test_decisions.csv",
        sheet="results/data/sheet.csv",
    output:
        pooled="results/submission/{ensemble}/pooled.zip",
        official_test="results/submission/{ensemble}/official_test.zip",
    log:
        "results/logs/write_submission/{ensemble}.log",
    benchmark:
        "results/benchmarks/write_submission/{ensemble}.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600, per_clip=0.05),
        runtime=for_clips(10),
    params:
        code=fingerprint("write_submission.py", env="plain"),
    script:
        "../workflow/scripts/write_submission.py"


# What a user typed into the list stays: `update` keeps the file for the job, and puts it back if the job fails.
rule list_submissions:
    input:
        zips=of_submitted("results/submission/{ensemble}/{protocol}.zip"),
        scores=of_submitted("results/fusion/{ensemble}/scores.json"),
    output:
        list=update("results/submission/submissions.csv"),
    log:
        "results/logs/list_submissions.log",
    benchmark:
        "results/benchmarks/list_submissions.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600),
        runtime=for_clips(10),
    params:
        code=fingerprint("list_submissions.py", env="plain"),
    script:
        "../workflow/scripts/list_submissions.py"


rule fusion:
    input:
        expand("results/fusion/{ensemble}/scores.json", ensemble=ENSEMBLES),


rule submission:
    input:
        submissions,
