"""Features of clips that were computed elsewhere: frames are pooled by the seven statistics, vectors taken as they are."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.features.pooling import STATISTICS, temporal_statistics
from blemore.job import BadInput
from blemore.stores import DECODE_ERROR, OK, PARTIAL, USABLE, Features

NOTHING = np.empty(0, np.float32)


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
        BadInput: if it has another type, shape, width or range, or no frame without NaN. The sentence follows the file's name.

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
    if (np.abs(array[finite]) > np.finfo(np.float32).max).any():
        raise BadInput("holds numbers beyond the range of float32")
    if array.ndim == 1 and finite.all():
        return Row(array.astype(np.float32), OK)
    frames = array[finite.all(1)] if array.ndim == 2 else array[:0]
    if not len(frames):
        raise BadInput("holds NaN or infinity" + (" in every frame" if array.ndim == 2 else ""))
    if len(frames) == len(array):
        return Row(temporal_statistics(frames), OK, n_frames=len(frames))
    reason = f"{len(array) - len(frames)} of {len(array)} frames hold NaN or infinity and are left out"
    return Row(temporal_statistics(frames), PARTIAL, n_frames=len(frames), reason=reason)


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


def as_features(rows: Mapping[str, Row], actor: Mapping[str, str]) -> Features:
    """Rows as a store holds them, NaN where the status is not usable; a clip with another number of numbers than most is none. Reasons go to the log."""
    widths = Counter(len(row.vector) for row in rows.values() if row.status in USABLE)
    width = widths.most_common(1)[0][0] if widths else 0
    kept = {clip: _of_width(row, width) for clip, row in rows.items()}
    reasons = [f"{clip}: {row.reason}." for clip, row in kept.items() if row.reason]
    print("\n".join(reasons), flush=True)
    vectors = [row.vector if row.status in USABLE else np.full(width, np.nan, np.float32) for row in kept.values()]
    columns = zip(*(row[1:5] for row in kept.values()))
    status, start_s, end_s, n_frames = (np.array(column, kind) for column, kind in zip(columns, (np.uint8, np.float64, np.float64, np.int64)))
    return Features(np.stack(vectors), list(kept), status, [actor[clip] for clip in kept], start_s, end_s, n_frames)


def _of_width(row: Row, width: int) -> Row:
    if row.status not in USABLE or len(row.vector) == width:
        return row
    return Row(NOTHING, DECODE_ERROR, reason=f"{len(row.vector)} numbers where most clips have {width}")
