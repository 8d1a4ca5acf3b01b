from blemore.data.catalogue import SETTINGS as SHEET_SETTINGS
from blemore.data.catalogue import existing_sheets


rule check_sheet:
    input:
        sheets=[str(path) for path in existing_sheets(config["data"])],
    output:
        sheet="results/data/sheet.csv",
    log:
        "results/logs/check_sheet.log",
    benchmark:
        "results/benchmarks/check_sheet.tsv"
    conda:
        "../envs/plain.yaml"
    threads: 1
    resources:
        mem_mb=for_clips(600, per_clip=0.05),
        runtime=for_clips(10, per_clip=0.001),
    params:
        cfg=settings("data", *SHEET_SETTINGS),
        code=fingerprint("check_sheet.py", env="plain"),
        # The sheet holds the videos' names: another extension is another sheet, other content is not.
        videos=lambda wildcards: {"video names": CATALOGUE.video_names_digest},
    script:
        "../workflow/scripts/check_sheet.py"


rule check:
    log:
        "results/logs/check.log",
    localrule: True
    conda:
        "../envs/plain.yaml"
    resources:
        mem_mb=for_clips(600),
        runtime=for_clips(10),
    params:
        config=lambda wildcards: config,
        hub_offline=hub_offline,
    script:
        "../workflow/scripts/check.py"


rule validate:
    log:
        "results/logs/validate.log",
    localrule: True
    conda:
        "../envs/torch.yaml"
    resources:
        mem_mb=for_clips(1500),
        runtime=for_clips(600),
    params:
        config=lambda wildcards: config,
    script:
        "../workflow/scripts/validate_stores.py"
