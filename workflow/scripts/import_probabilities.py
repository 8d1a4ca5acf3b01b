"""Predictions of another system, from CSV into the store of one fold, or of the test clips alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from blemore.data.emotions import EMOTIONS
from blemore.data.sheet import read_checked_sheet
from blemore.features.imported import Expected, read_predictions
from blemore.job import run
from blemore.stores import Probabilities, provenance, write_probabilities

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

SMALLEST = 1e-12  # whose logarithm stands for that of 0


def main(snakemake) -> None:
    sheet, params = read_checked_sheet(snakemake.input.sheet), snakemake.params
    found = read_predictions([Path(file) for file in params.files], _expected(sheet))
    scored = (sheet["split"] == "train") & (sheet["fold"].astype(str) == snakemake.wildcards.model.removeprefix("fold"))
    clips = sheet.loc[scored | (sheet["split"] == "test"), "filename"].tolist()
    split = np.where(scored, "scored", "test")[scored | (sheet["split"] == "test")].tolist()
    nothing = [np.nan] * len(EMOTIONS)
    probability = np.array([found.get(clip, nothing) for clip in clips], dtype=np.float32).reshape(-1, len(EMOTIONS))
    rows = Probabilities(probability, clips, split, np.log(np.maximum(probability, np.float32(SMALLEST))))
    write_probabilities(snakemake.output.store, rows, EMOTIONS, provenance(params, {}, ("numpy",), sources=list(params.files.values())))


def _expected(sheet: pd.DataFrame) -> dict[str, Expected]:
    folds = [None if pd.isna(fold) else int(fold) for fold in sheet["fold"]]
    return dict(zip(sheet["filename"], zip(sheet["split"], folds, strict=True), strict=True))


if __name__ == "__main__":
    run(main, snakemake)
