"""Predictions of other systems in CSV files of the columns that `fuse` writes. Standard library only, because Snakemake parses with it."""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from blemore.data.emotions import EMOTIONS
from blemore.job import BadInput
from blemore.problems import refuse

COLUMNS = tuple(f"probability_{emotion}" for emotion in EMOTIONS)
TOLERANCE = 0.03  # of the sum of six probabilities rounded to two digits

Expected = tuple[str, int | None]  # split and fold of a clip; no fold outside of train, and where folds are not made yet


def places(root: str, files: Iterable[str]) -> list[Path]:
    """Where the files are; they are named relative to `data.root`."""
    return [Path(root, file) for file in files]


def read_predictions(files: Sequence[Path], clips: Mapping[str, Expected]) -> dict[str, list[float]]:
    """Clip -> its six probabilities as they stand there, of train clips by a model that did not learn from their fold.

    Args:
        files: with the columns `clip`, `probability_ang` to `probability_neu`, and `fold` in those with train clips; others are not read.
        clips: all clips of the sheets.

    Raises:
        BadInput: naming file and line of every row that cannot be right.
    """
    found: dict[str, list[float]] = {}
    first: dict[str, str] = {}
    problems = []
    for where, row in (named for file in files for named in _rows(file)):
        try:
            _check_clip(row, clips)
            if row["clip"] in first:
                raise BadInput(f"{row['clip']} is there twice, first in {first[row['clip']]}; keep one.")
            found[row["clip"]] = _probabilities(row)
        except BadInput as error:
            problems.append(f"{where}: {error}")
        first.setdefault(row["clip"], where)
    refuse(problems, "imported predictions")
    return found


def _rows(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """File and line, and the cells of that line by column; `fold` is empty where there is no such column."""
    try:
        with open(file, newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines, restkey="", restval="", strict=True)
            if absent := [name for name in ("clip", *COLUMNS) if name not in (reader.fieldnames or ())]:
                raise BadInput(f"{file} line 1: there is no column {', '.join(absent)}; clip, fold and {COLUMNS[0]} to {COLUMNS[-1]} are needed.")
            yield from ((f"{file} line {reader.line_num}", {"fold": "", **row}) for row in reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{file} cannot be read as CSV in UTF-8 ({error}); save it so, separated by commas.") from None


def _check_clip(row: Mapping[str, str], clips: Mapping[str, Expected]) -> None:
    clip, given = row["clip"], row["fold"]
    if clip not in clips:
        raise BadInput(f"{clip!r} is no clip of the sheets; correct its name or leave the line out.")
    split, fold = clips[clip]
    if split == "test" and given:
        raise BadInput(f"{clip} has fold {given}; leave it empty, since it is a test clip.")
    if split == "train" and not given:
        raise BadInput(f"{clip} has no fold; give the one that its model did not learn from.")
    if split == "train" and fold is not None and _number(given) != fold:
        raise BadInput(f"{clip} has fold {given}, in the sheet {fold}; its prediction must come from a model that did not learn from fold {fold}.")


def _probabilities(row: Mapping[str, str]) -> list[float]:
    values = [_number(row[name]) for name in COLUMNS]
    if not all(0 <= value <= 1 for value in values):
        raise BadInput(f"the probabilities of {row['clip']} are not six numbers from 0 to 1; leave the line out where there is no prediction.")
    if abs(sum(values) - 1) > TOLERANCE:
        raise BadInput(f"the probabilities of {row['clip']} sum to {sum(values):.3g}, not 1; correct them or leave the line out.")
    return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
