from blemore.features.kinds import FINE_TUNED, IMAGE, SPEECH, VIDEO

NETWORKS = (
    *SPEECH,
    *IMAGE,
    *VIDEO,
    "videoswin",
)  # kinds that extract by weights from a hub
EXTRACTED = (
    *NETWORKS,
    "prosody",
    "gemini",
    "external",
)  # kinds with a store for each shard


rule fetch_weights:
    output:
        description="results/weights/{encoder}.json",
    log:
        "results/logs/fetch_weights/{encoder}.log",
    benchmark:
        "results/benchmarks/fetch_weights/{encoder}.tsv"
    wildcard_constraints:
        encoder=of_kind(*NETWORKS, *FINE_TUNED),
    # Where Snakemake runs there is a network, which the nodes of a cluster may lack.
    localrule: True
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600),
        runtime=for_clips(120),
    params:
        cfg=settings("features.{encoder}", "model", "revision"),
        code=fingerprint("fetch_weights.py", env="torch"),
        file=single_file,
        files=local_weights,
        needed=needed_weights,
        runtime=runtime("weights"),
        hub_offline=hub_offline,
    script:
        "../workflow/scripts/fetch_weights.py"


rule embed_wav2vec2:
    input:
        manifest="results/media/audio/{shard}.json",
        audio=ancient("results/media/audio/{shard}"),
        weights="results/weights/{encoder}.json",
    output:
        store=directory("results/features/shards/{encoder}/{shard}.zarr"),
        manifest="results/features/shards/{encoder}/{shard}.json",
    log:
        "results/logs/embed_wav2vec2/{encoder}/{shard}.log",
    benchmark:
        "results/benchmarks/embed_wav2vec2/{encoder}/{shard}.tsv"
    wildcard_constraints:
        encoder=of_kind(*SPEECH),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=for_clips(3000),
        runtime=for_clips(10, per_clip=0.2),
    params:
        cfg=settings(
            "features.{encoder}",
            "kind",
            "layers",
            "model",
            "precision",
            "revision",
            "segments",
        ),
        code=fingerprint("embed_wav2vec2.py", env="torch"),
        actors=shard_actors,
        runtime=runtime("device", "weights"),
    script:
        "../workflow/scripts/embed_wav2vec2.py"


rule embed_image:
    input:
        manifest=frame_store("results/media/{frames}/{shard}.json"),
        frames=ancient(frame_store("results/media/{frames}/{shard}.h5")),
        weights="results/weights/{encoder}.json",
    output:
        store=directory("results/features/shards/{encoder}/{shard}.zarr"),
        manifest="results/features/shards/{encoder}/{shard}.json",
    log:
        "results/logs/embed_image/{encoder}/{shard}.log",
    benchmark:
        "results/benchmarks/embed_image/{encoder}/{shard}.tsv"
    wildcard_constraints:
        encoder=of_kind(*IMAGE),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=for_clips(3000),
        runtime=for_clips(10, per_clip=0.5),
    params:
        cfg=settings(
            "features.{encoder}",
            "fps",
            "frames",
            "kind",
            "model",
            "precision",
            "revision",
            "segments",
        ),
        code=fingerprint("embed_image.py", env="torch"),
        actors=shard_actors,
        runtime=runtime("device", "weights"),
    script:
        "../workflow/scripts/embed_image.py"


rule embed_videoswin:
    input:
        manifest=frame_store("results/media/{frames}/{shard}.json"),
        frames=ancient(frame_store("results/media/{frames}/{shard}.h5")),
        weights="results/weights/{encoder}.json",
    output:
        store=directory("results/features/shards/{encoder}/{shard}.zarr"),
        manifest="results/features/shards/{encoder}/{shard}.json",
    log:
        "results/logs/embed_videoswin/{encoder}/{shard}.log",
    benchmark:
        "results/benchmarks/embed_videoswin/{encoder}/{shard}.tsv"
    wildcard_constraints:
        encoder=of_kind("videoswin"),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=for_clips(4000),
        runtime=for_clips(10, per_clip=1),
    params:
        cfg=settings(
            "features.{encoder}",
            "fps",
            "frames",
            "model",
            "precision",
            "revision",
            "segments",
            "window",
        ),
        code=fingerprint("embed_videoswin.py", env="torch"),
        actors=shard_actors,
        runtime=runtime("device", "weights"),
    script:
        "../workflow/scripts/embed_videoswin.py"


rule embed_video:
    input:
        manifest="results/media/clips/{shard}.json",
        clips=ancient("results/media/clips/{shard}"),
        weights="results/weights/{encoder}.json",
    output:
        store=directory("results/features/shards/{encoder}/{shard}.zarr"),
        manifest="results/features/shards/{encoder}/{shard}.json",
    log:
        "results/logs/embed_video/{encoder}/{shard}.log",
    benchmark:
        "results/benchmarks/embed_video/{encoder}/{shard}.tsv"
    wildcard_constraints:
        encoder=of_kind(*VIDEO),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=for_clips(8000),
        runtime=for_clips(10, per_clip=0.5),
    params:
        cfg=settings("features.{encoder}", "kind", "model", "precision", "revision"),
        cut=settings("media.clips", "fps"),
        code=fingerprint("embed_video.py", env="torch"),
        actors=shard_actors,
        runtime=runtime("device", "weights"),
    script:
        "../workflow/scripts/embed_video.py"


rule embed_prosody:
    input:
        manifest="results/media/audio/{shard}.json",
        audio=ancient("results/media/audio/{shard}"),
    output:
        store=directory("results/features/shards/{encoder}/{shard}.zarr"),
        manifest="results/features/shards/{encoder}/{shard}.json",
    log:
        "results/logs/embed_prosody/{encoder}/{shard}.log",
    benchmark:
        "results/benchmarks/embed_prosody/{encoder}/{shard}.tsv"
    wildcard_constraints:
        encoder=of_kind("prosody"),
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(900),
        runtime=for_clips(10, per_clip=0.1),
    params:
        cfg=settings(
            "features.{encoder}", "f0_max_hz", "f0_min_hz", "hop_s", "segments"
        ),
        code=fingerprint("embed_prosody.py", env="plain"),
        audio=settings("media.audio", "sample_rate_hz"),
        actors=shard_actors,
    script:
        "../workflow/scripts/embed_prosody.py"


# All hidden layers in one store, beside which the feature stores of the encoders are small.
rule embed_layers:
    input:
        manifest="results/media/audio/{shard}.json",
        audio=ancient("results/media/audio/{shard}"),
        weights="results/weights/{encoder}.json",
    output:
        store=directory("results/layer_curve/shards/{encoder}/{shard}.zarr"),
        manifest="results/layer_curve/shards/{encoder}/{shard}.json",
    log:
        "results/logs/embed_layers/{encoder}/{shard}.log",
    benchmark:
        "results/benchmarks/embed_layers/{encoder}/{shard}.tsv"
    wildcard_constraints:
        encoder=of_kind(*SPEECH),
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        gpu=GPU,
        mem_mb=for_clips(4000, per_clip=4),
        runtime=for_clips(10, per_clip=0.3),
    params:
        cfg=settings(
            "features.{encoder}", "kind", "model", "precision", "revision", "segments"
        ),
        curve=settings("layer_curve", "ranges"),
        code=fingerprint("embed_layers.py", env="torch"),
        actors=shard_actors,
        runtime=runtime("device", "weights"),
    script:
        "../workflow/scripts/embed_layers.py"


rule gather_features:
    input:
        manifests=shard_stores("results/features/shards/{encoder}/{shard}.json"),
        stores=ancient(shard_stores("results/features/shards/{encoder}/{shard}.zarr")),
    output:
        store=directory("results/features/{encoder}.zarr"),
        manifest="results/features/{encoder}.json",
    log:
        "results/logs/gather_features/{encoder}.log",
    benchmark:
        "results/benchmarks/gather_features/{encoder}.tsv"
    wildcard_constraints:
        encoder=of_kind(*EXTRACTED),
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600, per_clip=0.1),
        runtime=for_clips(10, per_clip=0.005),
    params:
        cfg=settings("data", "max_failed_fraction"),
        code=fingerprint("gather_features.py", env="plain"),
    script:
        "../workflow/scripts/gather_features.py"


rule weights:
    input:
        [
            f"results/weights/{encoder}.json"
            for encoder in configuration.parts_of(config, ENCODERS)
            if "revision" in config["features"][encoder]
        ],


rule features:
    input:
        sum(map(encoder_stores, ENCODERS), []),


for ENCODER in ENCODERS:

    rule:
        name:
            ENCODER
        input:
            encoder_stores(ENCODER),
