"""What the jobs of finished runs took: for each rule the peak memory of its script and the seconds of its longest job.

python benchmarks/resources.py RUN…     folders that hold `results`
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path


def measured(run: Path) -> dict[str, list[tuple[float, float]]]:
    """Rule -> peak memory in MB and seconds of each job, from the benchmark files. Jobs under half a second have no memory in theirs."""
    jobs = defaultdict(list)
    root = run / "results" / "benchmarks"
    for path in sorted(root.rglob("*.tsv")):
        with open(path, newline="") as file:
            row = next(csv.DictReader(file, delimiter="\t"))
        memory_mb = float(row["max_rss"]) if row["max_rss"].replace(".", "").isdigit() else 0.0
        jobs[path.relative_to(root).parts[0].removesuffix(".tsv")].append((memory_mb, float(row["s"])))
    return jobs


def main(runs: list[Path]) -> None:
    for run in runs:
        print(f"{run}\n{'rule':20s} {'jobs':>5s} {'MB':>7s} {'s':>7s}")
        for rule, jobs in sorted(measured(run).items()):
            memory_mb, seconds = zip(*jobs)
            print(f"{rule:20s} {len(jobs):5d} {max(memory_mb):7.0f} {max(seconds):7.1f}")


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
