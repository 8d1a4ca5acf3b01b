rule track_faces:
    input:
        videos=ancient(shard_videos),
    output:
        store="results/media/track/{shard}.h5",
        manifest="results/media/track/{shard}.json",
    log:
        "results/logs/track_faces/{shard}.log",
    benchmark:
        "results/benchmarks/track_faces/{shard}.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 4 if GPU else 1
    resources:
        gpu=GPU,
        mem_mb=for_clips(3000),
        runtime=for_clips(15, per_clip=1),
    params:
        cfg=settings(
            "media.track",
            "detect_height",
            "follow_probability",
            "fps",
            "landmarks",
            "max_gap_s",
            "min_face_px",
            "person",
            "search_interval_s",
            "smooth_s",
            "stride",
            "thresholds",
        ),
        code=fingerprint("track_faces.py", env="torch"),
        clips=shard_clips,
        runtime=runtime("clips_at_once", "device"),
    script:
        "../workflow/scripts/track_faces.py"


rule crop_faces:
    input:
        videos=ancient(shard_videos),
        track=ancient("results/media/track/{shard}.h5"),
        manifest="results/media/track/{shard}.json",
    output:
        store="results/media/faces/{shard}.h5",
        manifest="results/media/faces/{shard}.json",
    log:
        "results/logs/crop_faces/{shard}.log",
    benchmark:
        "results/benchmarks/crop_faces/{shard}.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(1500),
        runtime=for_clips(10, per_clip=0.2),
    params:
        cfg=settings("media.faces", "margin", "quality", "size"),
        code=fingerprint("crop_faces.py", env="plain"),
        clips=shard_clips,
    script:
        "../workflow/scripts/crop_faces.py"


# The track says where the person is.
rule sample_body_frames:
    input:
        videos=ancient(shard_videos),
        track=ancient("results/media/track/{shard}.h5"),
        manifest="results/media/track/{shard}.json",
    output:
        store="results/media/body/{shard}.h5",
        manifest="results/media/body/{shard}.json",
    log:
        "results/logs/sample_body_frames/{shard}.log",
    benchmark:
        "results/benchmarks/sample_body_frames/{shard}.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(1000),
        runtime=for_clips(10, per_clip=0.2),
    params:
        cfg=settings(
            "media.body", "crop", "face_heights", "fps", "quality", "short_side"
        ),
        code=fingerprint("sample_body_frames.py", env="plain"),
        clips=shard_clips,
    script:
        "../workflow/scripts/sample_body_frames.py"


rule extract_audio:
    input:
        videos=ancient(shard_videos),
    output:
        store=directory("results/media/audio/{shard}"),
        manifest="results/media/audio/{shard}.json",
    log:
        "results/logs/extract_audio/{shard}.log",
    benchmark:
        "results/benchmarks/extract_audio/{shard}.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600),
        runtime=for_clips(10, per_clip=0.1),
    params:
        cfg=settings("media.audio", "sample_rate_hz"),
        code=fingerprint("extract_audio.py", env="plain"),
        clips=shard_clips,
    script:
        "../workflow/scripts/extract_audio.py"


rule cut_clips:
    input:
        videos=ancient(shard_videos),
    output:
        store=directory("results/media/clips/{shard}"),
        manifest="results/media/clips/{shard}.json",
    log:
        "results/logs/cut_clips/{shard}.log",
    benchmark:
        "results/benchmarks/cut_clips/{shard}.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(1500),
        runtime=for_clips(10, per_clip=0.2),
    params:
        cfg=settings(
            "media.clips", "audio_bitrate", "crf", "fps", "max_height", "seconds"
        ),
        code=fingerprint("cut_clips.py", env="plain"),
        clips=shard_clips,
    script:
        "../workflow/scripts/cut_clips.py"


rule media:
    input:
        expand(
            "results/media/{kind}/{shard}.json",
            kind=["track", "faces", "body", "audio", "clips"],
            shard=SHARDS,
        ),
