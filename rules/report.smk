rule report:
    input:
        scores=of_ensembles("results/fusion/{ensemble}/scores.json"),
        decisions=of_ensembles("results/fusion/{ensemble}/decisions.csv"),
        # One of each, whose manifest counts its clips by status.
        encoders=[encoder_stores(encoder)[0] for encoder in ENCODERS],
    output:
        page="results/report/index.html",
        scores="results/report/scores.csv",
        text="results/report/scores.txt",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(700, per_clip=0.1),
        runtime=for_clips(10, per_clip=0.001),
    params:
        code=fingerprint("report.py", env="plain"),
        encoders={"asked": config["encoders"], "used": ENCODERS},
    script:
        "../workflow/scripts/report.py"
