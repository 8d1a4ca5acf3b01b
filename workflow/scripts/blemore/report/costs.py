"""What a run took: time and memory of every rule, from the files that Snakemake and the jobs leave; nothing here decides whether a result is current."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from blemore.configuration import parts_of
from blemore.features.api_requests import estimate
from blemore.stores import read_probabilities

# Not `**`: the chunks of the stores are many.
RECORDS = ("*/*.run.json", "*/*/*.run.json", "*/*/*/*.run.json")


def rule_costs(benchmarks: str | Path) -> pd.DataFrame:
    """Jobs, seconds, seconds of processor and peak memory of each rule, the longest first.

    Args:
        benchmarks: folder with `{rule}.tsv` or `{rule}/…/*.tsv` as Snakemake writes them; absent, the table is empty.
    """
    rows = []
    for path in sorted(Path(benchmarks).rglob("*.tsv")):
        if not path.stat().st_size:  # as a kill or a full disk leaves it
            continue
        rule = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        rows.append(pd.read_csv(path, sep="\t", na_values="-")[["s", "cpu_time", "max_rss"]].assign(rule=rule, jobs=1))
    if not rows:
        return pd.DataFrame(columns=["rule", "jobs", "hours", "processor hours", "peak MB"])
    table = pd.concat(rows).groupby("rule", as_index=False).agg({"jobs": "sum", "s": "sum", "cpu_time": "sum", "max_rss": "max"})
    table = table.sort_values("s", ascending=False).assign(s=lambda t: t["s"] / 3600, cpu_time=lambda t: t["cpu_time"] / 3600)
    return table.rename(columns={"s": "hours", "cpu_time": "processor hours", "max_rss": "peak MB"})


def records(results: str | Path) -> pd.DataFrame:
    """Commit, Python and time of the latest job of each rule that made a store, and how many commits its stores are of."""
    paths = [path for pattern in RECORDS for path in sorted(Path(results).glob(pattern))]
    found = [json.loads(text) for path in paths if (text := path.read_text())]  # a disk that was full leaves empty ones
    rows = [_latest(rule, [one for one in found if one["rule"] == rule]) for rule in sorted({one["rule"] for one in found})]
    return pd.DataFrame(rows, columns=["rule", "stores", "first", "last", "commit of the last", "commits", "Python"])


def _latest(rule: str, of_rule: list[Mapping[str, Any]]) -> tuple[Any, ...]:
    started = sorted(of_rule, key=lambda one: one["started"])
    last = started[-1]
    commits = {one["commit"] for one in of_rule}
    return rule, len(of_rule), started[0]["started"], last["started"], last["commit"] or "unknown", len(commits), last["python"]


def api_costs(config: Mapping[str, Any], encoders: Iterable[str], clips: int) -> list[tuple[str, str]]:
    """What the encoders that ask a paid API cost at most for so many clips."""
    paid = [name for name in parts_of(config, encoders) if config["features"][name]["kind"] == "gemini"]
    return [(f"{name}: API", f"{estimate(clips, config['media']['clips'], config['features'][name]).dollars:.2f} dollars at most") for name in paid]


def status_counts(manifests: Iterable[str]) -> dict[str, dict[str, int]]:
    """Encoder -> its clips by status, from the manifest of its features, or those of its probabilities for each fold."""
    of_encoder: dict[str, list[Path]] = {}
    for path in map(Path, manifests):
        of_encoder.setdefault(path.stem if path.parent.name == "features" else path.parts[-3], []).append(path)
    return {encoder: _counts(paths) for encoder, paths in of_encoder.items()}


def _counts(manifests: Sequence[Path]) -> dict[str, int]:
    """Imported predictions are of other clips in each fold, fine-tuned encoders of all clips in every fold."""
    found = [json.loads(path.read_text()) for path in manifests]
    if len({frozenset(one["clips"]) for one in found}) == 1:
        return found[0]["status_counts"]
    there: dict[str, bool] = {}
    for path in manifests:
        rows = read_probabilities(path.with_suffix(".zarr"))
        there |= {clip: bool(np.isfinite(row).all()) for clip, row in zip(rows.clip, rows.probability, strict=True)}
    return {"ok": sum(there.values()), "missing": len(there) - sum(there.values())}
