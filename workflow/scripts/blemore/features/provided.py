"""Features that come with the data: one array per clip, pooled by the seven statistics."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blemore.features.pooling import temporal_statistics
from blemore.job import BadInput
from blemore.stores import DECODE_ERROR, MISSING, OK, Features


def read_array(path: str | Path) -> NDArray[np.float32]:
    """The vector of one clip from its `.npy` file.

    Shapes (t, d) and (t, 1, d) are pooled over time to (7 * d,); a vector (d,) is taken as already pooled.

    Raises:
        BadInput: if the file cannot be read without pickle, has another shape, or holds NaN or infinity.

    Source: formats of the organisers' features, `BlEmoRe/blemore-common`.
    """
    try:
        with open(path, "rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:  # a damaged header is evaluated as Python, and may raise anything
        raise BadInput(f"{path} cannot be read as a plain array of numbers ({error}).") from None
    if array.dtype.kind not in "fiu":
        raise BadInput(f"{path} holds {array.dtype}, not numbers.")
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise BadInput(f"{path} has shape {array.shape}; (time, feature), (time, 1, feature) or (feature,) is expected.")
    if not np.isfinite(array).all():
        raise BadInput(f"{path} holds NaN or infinity.")
    return array.astype(np.float32) if array.ndim == 1 else temporal_statistics(array)


def import_features(files: Mapping[str, Path | None], actor: Mapping[str, str]) -> Features:
    """Features of all clips from their files; a clip without a usable file becomes a status, with a sentence in the log.

    Args:
        files: clip id -> file, None where there is none.
        actor: clip id -> actor, "" where there is none.

    Raises:
        BadInput: if no clip has a usable file.
    """
    vectors: dict[str, NDArray[np.float32]] = {}
    status = dict.fromkeys(files, MISSING)
    for clip, path in files.items():
        if path is None:
            print(f"{clip}: no file")
            continue
        try:
            vectors[clip], status[clip] = read_array(path), OK
        except BadInput as error:
            status[clip] = DECODE_ERROR
            print(f"{clip}: {error}")
    if not vectors:
        raise BadInput(f"none of {len(files)} clips has a usable file; the first reason is in the log of import_provided.")
    width = Counter(len(vector) for vector in vectors.values()).most_common(1)[0][0]
    embedding = np.full((len(files), width), np.nan, np.float32)
    for row, clip in enumerate(files):
        if clip in vectors and len(vectors[clip]) == width:
            embedding[row] = vectors[clip]
        elif clip in vectors:
            status[clip] = DECODE_ERROR
            print(f"{clip}: {len(vectors[clip])} numbers where most clips have {width}")
    statuses, zeros = np.array([status[clip] for clip in files], np.uint8), np.zeros(len(files))
    return Features(embedding, list(files), statuses, [actor[clip] for clip in files], zeros, np.full(len(files), np.nan), zeros.astype(np.int64))
