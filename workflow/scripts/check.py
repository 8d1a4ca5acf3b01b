"""What is there and what is missing, for every encoder and the data, before anything runs."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from blemore.features.check import report

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    os.environ["HF_HUB_OFFLINE"] = snakemake.params.hub_offline
    text = report(snakemake.params.config)
    Path(snakemake.log[0]).write_text(text)
    print(text, end="")


# Not through job.run: that would send the table to the log alone.
if __name__ == "__main__":
    main(snakemake)
