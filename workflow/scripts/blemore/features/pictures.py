"""The face crops or body frames of a shard's clips, as the media stage left them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blemore.features.extraction import MediaClip
from blemore.media.frames import read_frames
from blemore.media.shard import read_clip
from blemore.stores import STATUSES, USABLE, read_manifest


def picture_clips(store: str | Path, fps: float | None) -> Iterator[MediaClip]:
    """Every clip of a shard with the status of its frames, in the order of the manifest; what it reads is RGB (t, h, w, 3).

    Args:
        fps: frames per second that are read; None reads all of them.
    """
    manifest = read_manifest(store)
    for clip in manifest["clips"]:
        status, duration_s, indices = STATUSES.index(manifest["status"][clip]), np.nan, np.array([], int)
        if status in USABLE:
            times_s = read_clip(store, clip, ["timestamps_s"])[1]["timestamps_s"]
            duration_s, indices = end_s(times_s), shown_at(times_s, fps)
        yield MediaClip(clip, status, duration_s, partial(read_frames, store, clip, indices.tolist()))


def end_s(times_s: NDArray[np.float64]) -> float:
    """When the last frame ends, by the median interval."""
    return float(times_s[-1] + (np.median(np.diff(times_s)) if len(times_s) > 1 else 0.0))


def shown_at(times_s: NDArray[np.float64], fps: float | None) -> NDArray[np.int64]:
    """Indices of the frames that are shown at a lower rate, each once: for every k the last one with time < (k + ½) / fps."""
    if fps is None:
        return np.arange(len(times_s))
    middles_s = (np.arange(round(end_s(times_s) * fps)) + 0.5) / fps
    shown = np.unique(np.searchsorted(times_s, middles_s, side="left") - 1)
    shown = shown[shown >= 0]
    return shown if len(shown) else np.arange(1)
