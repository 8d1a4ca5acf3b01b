"""One loop over the clips of a shard for every encoder that yields frames over time."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.features.pooling import STATISTICS, segment_statistics
from blemore.stores import TOO_SHORT, USABLE, Features


class MediaClip(NamedTuple):
    """What the media stage gives for one clip: its status there and, if usable, a way to read it."""

    clip: str
    status: int
    duration_s: float
    read: Callable[[], NDArray]


class TooShort(ValueError):
    """The clip is shorter than what the encoder needs for one frame."""


def extract(clips: Iterable[MediaClip], encode: Callable[[NDArray], NDArray], width: int, segments: int, actor: dict[str, str]) -> Features:
    """Pools the frames that `encode` gives for each clip; a clip that cannot be encoded becomes a status.

    Args:
        encode: medium -> frames over time, shape (t, width); raises TooShort.
        segments: see `segment_statistics`.
        actor: clip id -> actor, "" where there is none.

    Returns:
        Features of dimension 7 * width, rows in the order of `clips`.
    """
    rows = []
    for clip in clips:
        vector, status, n_frames = np.full(STATISTICS * width, np.nan, np.float32), clip.status, 0
        if status in USABLE:
            try:
                frames = encode(clip.read())
                vector, n_frames = segment_statistics(frames, segments), len(frames)
            except TooShort as error:
                status = TOO_SHORT
                print(f"{clip.clip}: {error}")
        rows.append((vector, clip.clip, status, actor[clip.clip], clip.duration_s, n_frames))
    vectors, ids, statuses, actors, durations, counts = zip(*rows)
    return Features(
        np.stack(vectors), list(ids), np.array(statuses, np.uint8), list(actors), np.zeros(len(rows)), np.array(durations), np.array(counts, np.int64)
    )
