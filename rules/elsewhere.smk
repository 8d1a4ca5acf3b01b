# Features that are computed elsewhere: by a user's program, by the organisers, by a colleague; and several of them joined.


rule embed_external:
    input:
        videos=ancient(external_videos),
        manifests=external_manifests,
        stores=ancient(external_stores),
    output:
        store=directory("results/features/shards/{encoder}/{shard}.zarr"),
        manifest="results/features/shards/{encoder}/{shard}.json",
    log:
        "results/logs/embed_external/{encoder}/{shard}.log",
    benchmark:
        "results/benchmarks/embed_external/{encoder}/{shard}.tsv"
    wildcard_constraints:
        encoder=of_kind("external"),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=for_clips(8000),
        runtime=external_minutes,
    params:
        cfg=settings(
            "features.{encoder}", "command", "files", "function", "inputs", "width"
        ),
        code=fingerprint("embed_external.py", env="torch"),
        files=external_files,
        clips=shard_clips,
        actors=shard_actors,
        limit=untracked("features.{encoder}", "timeout_s"),
    script:
        "../workflow/scripts/embed_external.py"


rule import_provided:
    output:
        store=directory("results/features/{encoder}.zarr"),
        manifest="results/features/{encoder}.json",
    log:
        "results/logs/import_provided/{encoder}.log",
    benchmark:
        "results/benchmarks/import_provided/{encoder}.tsv"
    wildcard_constraints:
        encoder=importable("provided", some_folder),
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600, per_clip=0.3),
        runtime=for_clips(10, per_clip=0.02),
    params:
        cfg=settings("features.{encoder}", "columns", "test", "train", "width"),
        code=fingerprint("import_provided.py", env="plain"),
        limit=settings("data", "max_failed_fraction"),
        clips=lambda wildcards: provided_files(wildcards.encoder),
    script:
        "../workflow/scripts/import_provided.py"


rule import_probabilities:
    input:
        sheet="results/data/sheet.csv",
    output:
        store=directory("results/probabilities/{encoder}/own/{model}.zarr"),
        manifest="results/probabilities/{encoder}/own/{model}.json",
    log:
        "results/logs/import_probabilities/{encoder}/{model}.log",
    benchmark:
        "results/benchmarks/import_probabilities/{encoder}/{model}.tsv"
    wildcard_constraints:
        encoder=importable("probabilities", all_files),
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600, per_clip=0.01),
        runtime=for_clips(10),
    params:
        cfg=settings("features.{encoder}", "files"),
        code=fingerprint("import_probabilities.py", env="plain"),
        files=imported_files,
    script:
        "../workflow/scripts/import_probabilities.py"


rule concatenate_features:
    input:
        manifests=joined_stores("results/features/{encoder}.json"),
        stores=ancient(joined_stores("results/features/{encoder}.zarr")),
    output:
        store=directory("results/features/{encoder}.zarr"),
        manifest="results/features/{encoder}.json",
    log:
        "results/logs/concatenate_features/{encoder}.log",
    benchmark:
        "results/benchmarks/concatenate_features/{encoder}.tsv"
    wildcard_constraints:
        encoder=of_kind("concatenation"),
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600, per_clip=0.2),
        runtime=for_clips(10, per_clip=0.005),
    params:
        cfg=settings("concatenations", "{encoder}"),
        code=fingerprint("concatenate_features.py", env="plain"),
    script:
        "../workflow/scripts/concatenate_features.py"
