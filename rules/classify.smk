rule train_head:
    input:
        manifest="results/features/{encoder}.json",
        store=ancient("results/features/{encoder}.zarr"),
        sheet="results/data/sheet.csv",
    output:
        store=directory("results/probabilities/{encoder}/{head}/fold{fold}.zarr"),
        manifest="results/probabilities/{encoder}/{head}/fold{fold}.json",
        head="results/heads/{encoder}/{head}/fold{fold}.safetensors",
        history="results/heads/{encoder}/{head}/fold{fold}.json",
    log:
        "results/logs/train_head/{encoder}/{head}/fold{fold}.log",
    benchmark:
        "results/benchmarks/train_head/{encoder}/{head}/fold{fold}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(2400, per_clip=0.6),
        runtime=for_clips(15, per_clip=0.03),
    params:
        cfg=settings("classify", "early_stopping", "seeds"),
        code=fingerprint("train_head.py", env="torch"),
        recipe=settings("classify.heads", "{head}"),
    script:
        "../workflow/scripts/train_head.py"


rule retrain_head:
    input:
        manifest="results/features/{encoder}.json",
        store=ancient("results/features/{encoder}.zarr"),
        sheet="results/data/sheet.csv",
        histories=lambda wildcards: expand(
            "results/heads/{encoder}/{head}/fold{fold}.json", fold=FOLDS, **wildcards
        ),
    output:
        store=directory("results/probabilities/{encoder}/{head}/retrained.zarr"),
        manifest="results/probabilities/{encoder}/{head}/retrained.json",
        head="results/heads/{encoder}/{head}/retrained.safetensors",
        history="results/heads/{encoder}/{head}/retrained.json",
    log:
        "results/logs/retrain_head/{encoder}/{head}.log",
    benchmark:
        "results/benchmarks/retrain_head/{encoder}/{head}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(2400, per_clip=0.6),
        runtime=for_clips(15, per_clip=0.03),
    params:
        cfg=settings("classify", "early_stopping", "seeds"),
        code=fingerprint("retrain_head.py", env="torch"),
        recipe=settings("classify.heads", "{head}"),
    script:
        "../workflow/scripts/retrain_head.py"


rule train_layers:
    input:
        manifests=shard_stores("results/layer_curve/shards/{encoder}/{shard}.json"),
        stores=ancient(
            shard_stores("results/layer_curve/shards/{encoder}/{shard}.zarr")
        ),
        sheet="results/data/sheet.csv",
    output:
        store=directory("results/layer_curve/probabilities/{encoder}/{layers}.zarr"),
        manifest="results/layer_curve/probabilities/{encoder}/{layers}.json",
    log:
        "results/logs/train_layers/{encoder}/{layers}.log",
    benchmark:
        "results/benchmarks/train_layers/{encoder}/{layers}.tsv"
    wildcard_constraints:
        layers="[0-9]+(-[0-9]+)?",
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(2000, per_clip=0.2),
        runtime=for_clips(30, per_clip=0.1),
    params:
        cfg=settings("classify", "early_stopping", "seeds"),
        code=fingerprint("train_layers.py", env="torch"),
        limit=settings("data", "max_failed_fraction"),
        recipe=settings("classify.heads", config["classify"]["default_head"]),
    script:
        "../workflow/scripts/train_layers.py"


rule classifiers:
    input:
        [
            f"results/probabilities/{encoder}/{head}/fold{fold}.json"
            for encoder, head in sorted(set(sum(ENSEMBLES.values(), [])))
            for fold in FOLDS
        ],
