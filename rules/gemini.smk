# The API that costs money, and what it would cost.


rule embed_gemini:
    input:
        videos=ancient(shard_videos),
        manifest="results/media/clips/{shard}.json",
        clips=ancient("results/media/clips/{shard}"),
    output:
        store=directory("results/features/shards/{encoder}/{shard}.zarr"),
        manifest="results/features/shards/{encoder}/{shard}.json",
    log:
        "results/logs/embed_gemini/{encoder}/{shard}.log",
    benchmark:
        "results/benchmarks/embed_gemini/{encoder}/{shard}.tsv"
    wildcard_constraints:
        encoder=of_kind("gemini"),
    localrule: True
    conda:
        "../envs/gemini.yaml"
    threads: 1
    resources:
        api=1,
        mem_mb=for_clips(1500),
        runtime=for_clips(60, per_clip=1),
    params:
        cfg=settings(
            "features.{encoder}",
            "accept_failed",
            "dimension",
            "frames_per_second",
            "instruction",
            "model",
            "sound",
        ),
        cut=settings(
            "media.clips", "audio_bitrate", "crf", "fps", "max_height", "seconds"
        ),
        code=fingerprint("embed_gemini.py", env="gemini"),
        endpoint=api_endpoint,
        clips=shard_clips,
        actors=shard_actors,
        sending=untracked(
            "features.{encoder}",
            "concurrency",
            "confirm_upload",
            "patience_s",
            "platform",
            "timeout_s",
        ),
        runtime=runtime("api_replies"),
    script:
        "../workflow/scripts/embed_gemini.py"


rule gemini_estimate:
    log:
        "results/logs/gemini_estimate.log",
    localrule: True
    conda:
        "../envs/plain.yaml"
    resources:
        mem_mb=for_clips(600),
        runtime=for_clips(10, per_clip=0.1),
    params:
        config=lambda wildcards: config,
    script:
        "../workflow/scripts/gemini_estimate.py"
