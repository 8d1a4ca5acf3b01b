"""One clip's features from a file of any of the formats that they come in: frames are pooled by the seven statistics, vectors taken as they are."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.features.pooling import STATISTICS, temporal_statistics
from blemore.job import BadInput
from blemore.problems import did_you_mean
from blemore.stores import OK, PARTIAL


class Row(NamedTuple):
    """One clip's features; the vector counts only where the status is usable. Fields after it in the order of `stores.Features`."""

    vector: NDArray[np.float32]
    status: int
    start_s: float = 0.0
    end_s: float = np.nan
    n_frames: int = 0  # that the statistics are of; 0 where they were taken elsewhere
    reason: str = ""  # for what is not ok, without a full stop


def pooled(array: NDArray[Any], width: int | None) -> Row:
    """One clip's array as a vector. Frames with NaN or infinity are left out, and the clip is partial then.

    Args:
        array: frames over time (t, d) or (t, 1, d), pooled to (7 * d,), or a vector, taken as already pooled.
        width: numbers of a frame; a vector must have as many, or seven times as many. None takes any.

    Raises:
        BadInput: if it has another type, shape or width, or no frame without NaN. The sentence follows the file's name.

    Source: formats of the organisers' features, `BlEmoRe/blemore-common`.
    """
    if array.dtype.kind not in "fiu":
        raise BadInput(f"holds {array.dtype}, not numbers")
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise BadInput(f"has shape {array.shape}; (time, feature), (time, 1, feature) or (feature,) is expected")
    allowed = [width, STATISTICS * width][: 3 - array.ndim] if width else []
    if allowed and array.shape[-1] not in allowed:
        raise BadInput(f"has {array.shape[-1]} numbers, not {' or '.join(map(str, allowed))} as the encoder's width says")
    finite = np.isfinite(array)
    if array.ndim == 1 and finite.all():
        return Row(array.astype(np.float32), OK)
    frames = array[finite.all(1)] if array.ndim == 2 else array[:0]
    if not len(frames):
        raise BadInput("holds NaN or infinity" + (" in every frame" if array.ndim == 2 else ""))
    if len(frames) == len(array):
        return Row(temporal_statistics(frames), OK, n_frames=len(frames))
    reason = f"{len(array) - len(frames)} of {len(array)} frames hold NaN or infinity and are left out"
    return Row(temporal_statistics(frames), PARTIAL, n_frames=len(frames), reason=reason)


def read_clip(path: Path, width: int | None, columns: Sequence[str] | None) -> Row:
    """One clip from its `.npy` or `.csv` file; arguments and errors as in `pooled` and `read_csv`."""
    return pooled(read_csv(path, columns) if path.suffix == ".csv" else read_npy(path), width)


def read_npy(path: str | Path) -> NDArray[Any]:
    """The array of an `.npy` file, read without pickle.

    Raises:
        BadInput: if that is not possible.
    """
    try:
        with open(path, "rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # a damaged header is evaluated as Python, and may raise anything
        raise BadInput(f"cannot be read as a plain array of numbers ({error})") from None


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
