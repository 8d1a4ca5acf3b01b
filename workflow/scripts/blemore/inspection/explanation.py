"""Which jobs run again and why, and which settings made what is there, as text for people."""

import json
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from blemore.inspection.job import Job

SHOWN = 4  # values of a wildcard that are named


def explain(jobs: Sequence[Job]) -> str:
    """Every rule whose jobs run, with the causes, jobs of equal causes together; a cause of its own stands before what follows from others."""
    running = [job for job in jobs if job.runs]
    if not running:
        return "Nothing runs: all is current."
    groups = _together(running, lambda job: (job.rule, tuple(job.why), tuple(job.after)))
    lines = [f"{len(running)} of {len(jobs)} jobs run."]
    for (rule, why, after), members in groups.items():
        lines.append(f"{rule}{_of(members)}")
        lines += [f"    {cause}" for cause in why] + ([f"    after {', '.join(after)}"] if after else [])
    return "\n".join(lines)


def made_with(jobs: Sequence[Job]) -> str:
    """The recorded settings of every rule that had a part in what the jobs made, jobs of equal settings together."""
    known = [job for job in jobs if job.made_with]
    lines = []
    for (rule, _), members in _together(known, lambda job: (job.rule, json.dumps(job.made_with, sort_keys=True))).items():
        lines.append(f"{rule}{_of(members)}")
        lines += [f"    {name}: {json.dumps(value)}" for block, values in members[0].made_with.items() for name, value in flat(values, block)]
    return "\n".join(lines) or "Snakemake has no record of what made it."


def flat(values: Any, name: str) -> Iterable[tuple[str, Any]]:
    """`media.faces.size`, 160: every setting under its dotted name."""
    if isinstance(values, dict) and values:
        return [pair for key, value in values.items() for pair in flat(value, f"{name}.{key}" if name else key)]
    return [(name, values)]


def _together(jobs: Iterable[Job], key: Any) -> dict[Any, list[Job]]:
    groups: dict[Hashable, list[Job]] = defaultdict(list)
    for job in jobs:
        groups[key(job)].append(job)
    return groups


def _of(jobs: Sequence[Job]) -> str:
    """`, 4 jobs: encoder wav2vec2; shard A101, A102, A103 and 1 more`."""
    values = {name: sorted({job.wildcards[name] for job in jobs}) for name in jobs[0].wildcards}
    shown = [f"{name} {', '.join(found[:SHOWN])}" + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "") for name, found in values.items()]
    return (f", {len(jobs)} jobs" if len(jobs) > 1 else "") + (f": {'; '.join(shown)}" if shown else "")
