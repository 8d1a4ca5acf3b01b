from snakemake.utils import min_version

min_version("9.27")


configfile: workflow.source_path("config.yaml")


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/media.smk"
include: "rules/features.smk"
include: "rules/classify.smk"
include: "rules/fusion.smk"
include: "rules/report.smk"


rule all:
    default_target: True
    input:
        "results/report/index.html",
        submissions,
