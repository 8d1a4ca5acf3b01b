"""On PYTHONPATH of a test: every script of a rule notes where it runs and whether it may ask the hub."""

import os
import re
import sys

if found := re.search(r"\.snakemake/scripts/tmp\w+\.(\w+)\.py$", sys.orig_argv[-1]):
    with open(os.environ["NOTED"], "a") as file:
        file.write(f"{found.group(1)} {os.environ.get('SLURM_JOB_PARTITION', 'here')} HF_HUB_OFFLINE={os.environ.get('HF_HUB_OFFLINE')}\n")
