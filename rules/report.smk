rule report:
    input:
        scores=expand("results/fusion/{ensemble}/scores.json", ensemble=ENSEMBLES),
        decisions=expand("results/fusion/{ensemble}/decisions.csv", ensemble=ENSEMBLES),
        features=expand("results/features/{encoder}.json", encoder=ENCODERS),
    output:
        page="results/report/index.html",
        scores="results/report/scores.csv",
        text="results/report/scores.txt",
        configuration="results/report/config.yaml",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        cfg=pick({"": config}, "", [block for block in config if block != "runtime"]),
        code=fingerprint("report.py", env="plain"),
        encoders={"asked": config["encoders"], "used": ENCODERS},
    script:
        "../workflow/scripts/report.py"
