# One model per fold, and `retrained` on all clips where classify.test_prediction asks for it.


rule finetune_s4d:
    input:
        manifests=shard_stores("results/media/faces/{shard}.json"),
        stores=ancient(shard_stores("results/media/faces/{shard}.h5")),
        weights="results/weights/{encoder}.json",
        sheet="results/data/sheet.csv",
        histories=histories_of_folds,
    output:
        store=directory("results/probabilities/{encoder}/own/{model}.zarr"),
        manifest="results/probabilities/{encoder}/own/{model}.json",
        weights=directory("results/finetune/{encoder}/{model}"),
        history="results/heads/{encoder}/own/{model}.json",
    log:
        "results/logs/finetune_s4d/{encoder}/{model}.log",
    benchmark:
        "results/benchmarks/finetune_s4d/{encoder}/{model}.tsv"
    wildcard_constraints:
        encoder=of_kind("s4d"),
    conda:
        "../envs/torch.yaml"
    threads: READERS
    resources:
        gpu=GPU,
        mem_mb=memory_of_training,
        runtime=minutes_of_training,
    params:
        cfg=settings("classify", "early_stopping"),
        code=fingerprint("finetune_s4d.py", env="torch"),
        recipe=settings("features", "{encoder}"),
        runtime=runtime("device", "loader_workers", "resume", "weights"),
    script:
        "../workflow/scripts/finetune_s4d.py"


rule finetune_videomae:
    input:
        manifests=shard_stores("results/media/body/{shard}.json"),
        stores=ancient(shard_stores("results/media/body/{shard}.h5")),
        weights="results/weights/{encoder}.json",
        sheet="results/data/sheet.csv",
        histories=histories_of_folds,
    output:
        store=directory("results/probabilities/{encoder}/own/{model}.zarr"),
        manifest="results/probabilities/{encoder}/own/{model}.json",
        weights=directory("results/finetune/{encoder}/{model}"),
        history="results/heads/{encoder}/own/{model}.json",
    log:
        "results/logs/finetune_videomae/{encoder}/{model}.log",
    benchmark:
        "results/benchmarks/finetune_videomae/{encoder}/{model}.tsv"
    wildcard_constraints:
        encoder=of_kind("videomae"),
    conda:
        "../envs/torch.yaml"
    threads: READERS
    resources:
        gpu=GPU,
        mem_mb=memory_of_training,
        runtime=minutes_of_training,
    params:
        cfg=settings("classify", "early_stopping"),
        code=fingerprint("finetune_videomae.py", env="torch"),
        recipe=settings("features", "{encoder}"),
        runtime=runtime("device", "loader_workers", "resume", "weights"),
    script:
        "../workflow/scripts/finetune_videomae.py"


rule finetune_timesformer:
    input:
        manifests=shard_stores("results/media/body/{shard}.json"),
        stores=ancient(shard_stores("results/media/body/{shard}.h5")),
        weights="results/weights/{encoder}.json",
        sheet="results/data/sheet.csv",
        histories=histories_of_folds,
    output:
        store=directory("results/probabilities/{encoder}/own/{model}.zarr"),
        manifest="results/probabilities/{encoder}/own/{model}.json",
        weights=directory("results/finetune/{encoder}/{model}"),
        history="results/heads/{encoder}/own/{model}.json",
    log:
        "results/logs/finetune_timesformer/{encoder}/{model}.log",
    benchmark:
        "results/benchmarks/finetune_timesformer/{encoder}/{model}.tsv"
    wildcard_constraints:
        encoder=of_kind("timesformer"),
    conda:
        "../envs/torch.yaml"
    threads: READERS
    resources:
        gpu=GPU,
        mem_mb=memory_of_training,
        runtime=minutes_of_training,
    params:
        cfg=settings("classify", "early_stopping"),
        code=fingerprint("finetune_timesformer.py", env="torch"),
        recipe=settings("features", "{encoder}"),
        runtime=runtime("device", "loader_workers", "resume", "weights"),
    script:
        "../workflow/scripts/finetune_timesformer.py"


rule finetune_wav2vec2:
    input:
        manifests=shard_stores("results/media/audio/{shard}.json"),
        stores=ancient(shard_stores("results/media/audio/{shard}")),
        weights="results/weights/{encoder}.json",
        sheet="results/data/sheet.csv",
        histories=histories_of_folds,
    output:
        store=directory("results/probabilities/{encoder}/own/{model}.zarr"),
        manifest="results/probabilities/{encoder}/own/{model}.json",
        weights=directory("results/finetune/{encoder}/{model}"),
        history="results/heads/{encoder}/own/{model}.json",
    log:
        "results/logs/finetune_wav2vec2/{encoder}/{model}.log",
    benchmark:
        "results/benchmarks/finetune_wav2vec2/{encoder}/{model}.tsv"
    wildcard_constraints:
        encoder=of_kind("wav2vec2_finetuned"),
    conda:
        "../envs/torch.yaml"
    threads: READERS
    resources:
        gpu=GPU,
        mem_mb=memory_of_training,
        runtime=minutes_of_training,
    params:
        cfg=settings("classify", "early_stopping"),
        code=fingerprint("finetune_wav2vec2.py", env="torch"),
        recipe=settings("features", "{encoder}"),
        runtime=runtime("device", "loader_workers", "resume", "weights"),
    script:
        "../workflow/scripts/finetune_wav2vec2.py"
