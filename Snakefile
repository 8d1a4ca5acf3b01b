from snakemake.utils import min_version

min_version("9.27")


configfile: workflow.source_path("config.yaml")


include: "rules/common.smk"
include: "rules/common_stores.smk"
include: "rules/common_foreign.smk"
include: "rules/common_elsewhere.smk"
include: "rules/common_predict.smk"
include: "rules/data.smk"
include: "rules/media.smk"
include: "rules/features.smk"
include: "rules/gemini.smk"
include: "rules/elsewhere.smk"


if SYSTEM:

    include: "rules/predict.smk"

    rule predict:
        default_target: True
        input:
            "results/predictions/predictions.csv",
            "results/predictions/predictions.json",

else:

    include: "rules/finetune.smk"
    include: "rules/classify.smk"
    include: "rules/fusion.smk"
    include: "rules/system.smk"
    include: "rules/report.smk"

    rule all:
        default_target: True
        input:
            "results/report/index.html",
            "results/report/tables/table_1.csv",
            submissions,


# Snakemake has nothing to compare these with, and would use them whatever made them.
if (
    workflow.is_main_process
    and not NEEDS_NO_DATA
    and not config["runtime"]["accept_foreign"]
):
    try:
        foreign.check({store: settings_today(store) for store in foreign_stores()})
    except BadInput as error:
        refuse(error)


# Whatever was trained is recorded, unless the job of a killed run did it, which left a mark.
onsuccess:
    if not any(path.is_file() for path in Path(".snakemake/incomplete").rglob("*")):
        for state in Path(config["runtime"]["resume"]).glob("*.finished.pt"):
            state.unlink(missing_ok=True)


# What this run was configured with; not an output, so that a setting makes stale only what reads it.
onstart:
    # A limit of jobs per second, which is Snakemake's default, has it plan once more in every second for each job that has ended.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None
    if not NEEDS_NO_DATA:
        try:
            if SYSTEM:
                CATALOGUE.make_links()
            configuration.write(config, "results/config.yaml")
        except OSError as error:
            raise WorkflowError(disk_problem(error) or error)
