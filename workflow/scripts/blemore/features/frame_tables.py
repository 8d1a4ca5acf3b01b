"""Frames over time from a table of comma-separated values."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blemore.job import BadInput
from blemore.problems import did_you_mean


def read_csv(path: str | Path, columns: Sequence[str] | None) -> NDArray[np.float64]:
    """Frames (t, d) from a `.csv` file with a line for each; a cell may hold a list of numbers, an empty one is NaN.

    Args:
        columns: what is taken, in this order; None takes all, and then the first line may be numbers already.

    Raises:
        BadInput: if a column is missing, a cell is no number, or lines differ in length.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file, strict=True) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"cannot be read as CSV ({error})") from None
    header, frames = (lines[0], lines[1:]) if lines and (columns or not _is_numbers(lines[0])) else ([], lines)
    places = _places([name.strip() for name in header], columns) if columns else range(len(lines[0]) if lines else 0)
    values = [[number for place in places for number in _numbers(line, place, n)] for n, line in enumerate(frames, 1)]
    if uneven := [n for n, line in enumerate(values, 1) if len(line) != len(values[0])]:
        raise BadInput(f"has {len(values[uneven[0] - 1])} numbers in frame {uneven[0]} and {len(values[0])} in the first")
    return np.array(values, np.float64) if values else np.empty((0, 0))


def _is_numbers(line: Sequence[str]) -> bool:
    try:
        return bool([_numbers(line, place, 0) for place in range(len(line))])
    except BadInput:
        return False


def _places(header: Sequence[str], columns: Sequence[str]) -> list[int]:
    for name in columns:
        if name not in header:
            raise BadInput(f"has no column {name}; {did_you_mean(name, header)}")
    return [header.index(name) for name in columns]


def _numbers(line: Sequence[str], place: int, frame: int) -> list[float]:
    """A number, or a list like `[0.1, nan]`, which is no JSON and no Python."""
    cell = line[place].strip() if place < len(line) else ""
    words = cell[1:-1].replace(",", " ").split() if cell[:1] == "[" and cell[-1:] == "]" else [cell or "nan"]
    try:
        return [float(word) for word in words]
    except ValueError:
        raise BadInput(f"holds {cell!r} in frame {frame}, which is no number") from None
