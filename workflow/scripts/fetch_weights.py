"""The weights of one encoder: fetched where they are absent, and described by their SHA-256."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from blemore.features.weights import describe, fetch
from blemore.job import BadInput, run
from blemore.stores import write_json

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    os.environ["HF_HUB_OFFLINE"] = snakemake.params.hub_offline
    cfg = snakemake.params.cfg
    folder = fetch(cfg["model"], cfg["revision"], snakemake.params.runtime["weights"], snakemake.params.file)
    described = describe(folder, snakemake.params.file)
    refuse_others(folder, described["sha256"], snakemake.params.needed)
    write_json(snakemake.output.description, described)


def refuse_others(folder: Path, found: Mapping[str, str], needed: Mapping[str, str] | None) -> None:
    """An exported system predicts by the weights that it was trained with."""
    different = sorted(name for name in {*found, *needed} if found.get(name) != needed.get(name)) if needed else []
    if different:
        raise BadInput(f"{folder} does not hold the weights that the system was trained with ({', '.join(different)} differ); name theirs in predict.places.")


if __name__ == "__main__":
    run(main, snakemake)
