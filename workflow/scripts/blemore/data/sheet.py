"""The checked sheet, which every later stage takes labels, folds and splits from."""

from pathlib import Path

import pandas as pd

from blemore.job import write_text

WHOLE_NUMBERS = ("mix", "fold")
SALIENCES = ("emotion_1_salience", "emotion_2_salience")


def write_checked_sheet(path: str | Path, sheet: pd.DataFrame) -> None:
    """Writes the table of `preparation.checked_sheet`; missing values are empty, equal tables give equal bytes."""
    write_text(path, sheet.to_csv(index=False, float_format="%g", lineterminator="\n"))


def read_checked_sheet(path: str | Path) -> pd.DataFrame:
    """The official columns, then `split` (train, train_only, test), `shard` and `video` (file name), one row per clip.

    Text is str and "" where missing, saliences are float64 and NaN, `mix` and `fold` are nullable Int64.
    """
    return typed(pd.read_csv(path, dtype=str, keep_default_na=False))


def typed(sheet: pd.DataFrame) -> pd.DataFrame:
    """A table of text with its numbers as numbers."""
    numbers = {name: pd.to_numeric(sheet[name]).astype("Int64" if name in WHOLE_NUMBERS else "float64") for name in (*WHOLE_NUMBERS, *SALIENCES)}
    return sheet.assign(**numbers)
