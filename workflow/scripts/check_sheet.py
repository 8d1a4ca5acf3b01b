"""The sheet that later stages read: validated, with split, shard and video of each clip."""

from typing import TYPE_CHECKING

from blemore.data.catalogue import Catalogue
from blemore.data.preparation import checked_sheet
from blemore.data.sheet import write_checked_sheet
from blemore.job import run

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    sheet = checked_sheet(Catalogue(snakemake.params.cfg))
    write_checked_sheet(snakemake.output.sheet, sheet)
    print(sheet.groupby("split").size().to_string())


if __name__ == "__main__":
    run(main, snakemake)
