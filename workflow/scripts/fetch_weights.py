"""The weights of one encoder: fetched where they are absent, and described by their SHA-256."""

import os
from typing import TYPE_CHECKING

from blemore.features.weights import describe, fetch
from blemore.job import run
from blemore.stores import write_json

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    os.environ["HF_HUB_OFFLINE"] = snakemake.params.hub_offline
    cfg = snakemake.params.cfg
    folder = fetch(cfg["model"], cfg["revision"], snakemake.params.runtime["weights"], snakemake.params.file)
    write_json(snakemake.output.description, describe(folder, snakemake.params.file))


if __name__ == "__main__":
    run(main, snakemake)
