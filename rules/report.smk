rule report:
    input:
        scores=of_ensembles("results/fusion/{ensemble}/scores.json"),
        decisions=of_ensembles("results/fusion/{ensemble}/decisions.csv"),
        # Their manifests count the clips by status.
        encoders=[
            manifest for encoder in ENCODERS for manifest in encoder_stores(encoder)
        ],
        manifests=all_members("results/probabilities/{encoder}/{head}/fold{fold}.json"),
        stores=ancient(
            all_members("results/probabilities/{encoder}/{head}/fold{fold}.zarr")
        ),
        sound_manifests=shown_media("embed_sound", "results/media/audio/{shard}.json"),
        sound=ancient(shown_media("embed_sound", "results/media/audio/{shard}")),
        faces_manifests=shown_media("embed_faces", "results/media/faces/{shard}.json"),
        faces=ancient(shown_media("embed_faces", "results/media/faces/{shard}.h5")),
    output:
        page=report(
            "results/report/index.html",
            caption="../workflow/report/page.rst",
            category="Report",
            labels={"what": "interactive page", "format": "html"},
        ),
        scores=report(
            "results/report/scores.csv",
            caption="../workflow/report/scores.rst",
            category="Report",
            labels={"what": "scores", "format": "csv"},
        ),
        text="results/report/scores.txt",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(900, per_clip=0.2),
        runtime=for_clips(10, per_clip=0.01),
    params:
        cfg=settings("report", "embed_faces"),
        code=fingerprint("report.py", env="plain"),
        assets=file_digests("workflow/report", ("css", "html", "js")),
        configuration=whole_configuration,
        encoders={"asked": config["encoders"], "used": ENCODERS},
    script:
        "../workflow/scripts/report.py"


rule write_tables:
    input:
        scores=of_ensembles("results/fusion/{ensemble}/scores.json"),
        decisions=of_ensembles("results/fusion/{ensemble}/decisions.csv"),
        # What a user typed into it stands in Table II.
        submitted=submissions,
    output:
        **{
            f"table_{number}_{form}": report(
                f"results/report/tables/table_{number}.{form}",
                caption="../workflow/report/paper_table.rst",
                category="Tables of the paper",
                labels={"what": f"Table {'I' * number}", "format": form},
            )
            for number in (1, 2, 3)
            for form in ("csv", "tex", "html")
        },
        differences=report(
            "results/report/tables/differences.csv",
            caption="../workflow/report/differences.rst",
            category="Tables of the paper",
            labels={"what": "differences of ensembles", "format": "csv"},
        ),
    log:
        "results/logs/write_tables.log",
    benchmark:
        "results/benchmarks/write_tables.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(700, per_clip=0.1),
        runtime=for_clips(10, per_clip=0.001),
    params:
        cfg=settings("fusion", "resamples"),
        code=fingerprint("write_tables.py", env="plain"),
    script:
        "../workflow/scripts/write_tables.py"
