"""The submissions of one ensemble, one of each protocol: written, then checked against the sheet."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from blemore.data.labels import EMOTIONS
from blemore.data.sheet import read_checked_sheet
from blemore.fusion.submission import validate_submission, write_submission
from blemore.fusion.submission_list import PROTOCOLS
from blemore.job import BadInput, run

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    table = pd.read_csv(snakemake.input.decisions, dtype={"clip": str, "video": str})
    sheet = read_checked_sheet(snakemake.input.sheet)
    expected = sheet.loc[sheet["split"] == "test", "video"].tolist()
    if not expected:
        raise BadInput("there are no test clips to submit; set data.test_videos or data.test_sheet to where they are.")
    for protocol, columns in PROTOCOLS.items():
        path = getattr(snakemake.output, protocol)
        write_submission(path, table["video"].tolist(), table[[f"{columns}_{emotion}" for emotion in EMOTIONS]].to_numpy(np.int8))
        validate_submission(path, expected)


if __name__ == "__main__":
    run(main, snakemake)
