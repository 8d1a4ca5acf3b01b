"""Why what runs again, and which settings made what is there: python workflow/scripts/why_stale.py [TARGET ...] [--configfile FILE ...]"""

import argparse
import json
import sys
from pathlib import Path

from blemore.inspection.explanation import explain, made_with
from blemore.inspection.today import jobs_of
from blemore.job import BadInput


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Says which setting, module, input or clip makes jobs run again, and which settings made what is there.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="rules or files of the workflow (default: what `snakemake` makes)")
    parser.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="as for snakemake")
    parser.add_argument("--directory", default=".", help="working folder of the runs, which holds results/ (default: this one)")
    parser.add_argument("--made", action="store_true", help="also the settings that made what is there; always so if one file is the target")
    parser.add_argument("--json", action="store_true", help="every job with its causes and settings, for programs")
    asked = parser.parse_args(arguments)
    try:
        jobs = jobs_of(asked.directory, asked.targets, asked.configfile)
    except BadInput as error:
        sys.exit(f"{error}")
    if asked.json:
        print(json.dumps([job._asdict() for job in jobs], indent=1))
        return
    print(explain(jobs))
    if asked.made or (len(asked.targets) == 1 and Path(asked.directory, asked.targets[0]).exists()):
        print(f"\nMade with\n{made_with(jobs)}")


if __name__ == "__main__":
    main()
