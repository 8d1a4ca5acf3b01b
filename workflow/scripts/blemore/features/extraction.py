"""One loop over the clips of a shard for every encoder."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.features.pooling import STATISTICS, segment_statistics
from blemore.stores import TOO_SHORT, USABLE, Features


class MediaClip(NamedTuple):
    """What the media stage gives for one clip: its status there and, if usable, a way to read it."""

    clip: str
    status: int
    duration_s: float
    read: Callable[[], Any]


class TooShort(ValueError):
    """The clip is shorter than what the encoder needs for one frame."""


def extract(clips: Iterable[MediaClip], encode: Callable[[NDArray], NDArray], width: int, segments: int, actor: dict[str, str]) -> Features:
    """Pools the frames that `encode` gives for each clip.

    Args:
        encode: medium -> frames over time, shape (t, width); raises TooShort.
        segments: see `segment_statistics`.
        actor: clip id -> actor, "" where there is none.

    Returns:
        Features of dimension 7 * width, rows in the order of `clips`.
    """

    def embed(medium: NDArray) -> tuple[NDArray[np.float32], int]:
        frames = encode(medium)
        return segment_statistics(frames, segments), len(frames)

    return collect(clips, embed, (STATISTICS * width,), actor)


def collect(clips: Iterable[MediaClip], embed: Callable[[Any], tuple[NDArray[np.float32], int]], shape: tuple[int, ...], actor: dict[str, str]) -> Features:
    """What `embed` gives for each clip; a clip that cannot be embedded becomes a status.

    Args:
        embed: medium -> numbers of the clip, float32 of the given shape, and how many frames they come from; raises TooShort.
        actor: see `extract`.
    """
    rows = []
    for clip in clips:
        numbers, status, n_frames = np.full(shape, np.nan, np.float32), clip.status, 0
        if status in USABLE:
            try:
                numbers, n_frames = embed(clip.read())
            except TooShort as error:
                status = TOO_SHORT
                print(f"{clip.clip}: {error}")
        rows.append((numbers, clip.clip, status, actor[clip.clip], clip.duration_s, n_frames))
    stacked, ids, statuses, actors, durations, counts = zip(*rows)
    return Features(
        np.stack(stacked), list(ids), np.array(statuses, np.uint8), list(actors), np.zeros(len(rows)), np.array(durations), np.array(counts, np.int64)
    )
