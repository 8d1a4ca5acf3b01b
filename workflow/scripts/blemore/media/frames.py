"""JPEG frames in the HDF5 store of a shard: every frame can be read by itself."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blemore.job import BadInput
from blemore.media.shard import REMEDY, open_clip


def encode_jpeg(frame: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """The bytes of a JPEG file of an RGB frame (h, w, 3)."""
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return jpeg


def decode_jpeg(jpeg: NDArray[np.uint8], frame: int, clip: str, path: str | Path) -> NDArray[np.uint8]:
    """The RGB frame (h, w, 3) of the bytes of a JPEG file.

    Args:
        frame, clip, path: where it was read.

    Raises:
        BadInput: if it is none.
    """
    picture = cv2.imdecode(jpeg, cv2.IMREAD_COLOR_RGB) if len(jpeg) else None
    if picture is None:
        raise BadInput(f"{path} is damaged: frame {frame} of the clip {clip} is no JPEG; {REMEDY}")
    return np.asarray(picture, np.uint8)


def read_frames(path: str | Path, clip: str, indices: Sequence[int]) -> NDArray[np.uint8]:
    """The frames of a clip at the given indices, and no others decoded, as RGB (n, h, w, 3).

    Raises:
        BadInput: if the store is damaged or does not hold the clip.
        IndexError: if the clip has no frame of that index.
    """
    return choose_frames(path, clip, lambda n_frames: indices)


def choose_frames(path: str | Path, clip: str, choose: Callable[[int], Sequence[int]]) -> NDArray[np.uint8]:
    """As `read_frames`, at the indices that `choose` gives for the number of frames; one that is chosen twice is decoded once."""
    with open_clip(path, clip) as group:
        jpegs = group["jpeg"]
        indices = choose(len(jpegs))
        if any(not 0 <= index < len(jpegs) for index in indices):
            raise IndexError(f"{path}: clip {clip} has {len(jpegs)} frames, asked for {list(indices)}")
        wanted = sorted(set(indices))
        # One reading of all takes a third of the time of one for each.
        decoded = {index: decode_jpeg(jpeg, index, clip, path) for index, jpeg in zip(wanted, jpegs[wanted])}
    return np.stack([decoded[index] for index in indices])
