"""One job of the graph of today's workflow."""

from typing import Any, NamedTuple


class Job(NamedTuple):
    """What it makes, whether it runs, and why."""

    rule: str
    wildcards: dict[str, str]
    output: list[str]
    runs: bool  # again or for the first time
    recorded: bool  # whether Snakemake knows what made its output
    why: list[str]  # causes of its own
    after: list[str]  # rules that it waits for, because they run too
    made_with: dict[str, Any]  # block of the configuration, or name of the param -> its settings when the output was made; empty where nothing is known
