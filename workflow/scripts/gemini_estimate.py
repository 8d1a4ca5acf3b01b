"""What the embedding API would be asked and would cost. Sends nothing."""

from pathlib import Path
from typing import TYPE_CHECKING

from blemore.features.check import estimate_report

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    text = estimate_report(snakemake.params.config)
    Path(snakemake.log[0]).write_text(text)
    print(text, end="")


# Not through job.run: that would send the table to the log alone.
if __name__ == "__main__":
    main(snakemake)
