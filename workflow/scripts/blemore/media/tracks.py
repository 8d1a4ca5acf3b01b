"""The face of one person in every frame of a clip, and the store that keeps it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.media.shard import open_store, read_clip


class FaceTrack(NamedTuple):
    """The face of one person in every frame of a clip; NaN where there is none."""

    boxes: NDArray[np.float32]  # (t, 4) left, top, right, bottom in pixels of the frames
    landmarks: NDArray[np.float32]  # (t, 5, 2)
    probability: NDArray[np.float32]  # (t,), NaN also in bridged gaps
    detected: NDArray[np.bool_]  # (t,) a detection supports the frame: in it, or in the looked-at frames on both sides


def no_face(n_frames: int) -> FaceTrack:
    """The track of a clip in which nobody is seen."""
    boxes, landmarks, probability = (np.full((n_frames, *shape), np.nan, np.float32) for shape in ((4,), (5, 2), ()))
    return FaceTrack(boxes, landmarks, probability, np.zeros(n_frames, bool))


def read_track(path: str | Path, clip: str) -> tuple[int, FaceTrack]:
    """Status and track of a clip from a store of `track_faces`; a clip that failed there has a track of no frames.

    Raises:
        BadInput: if the store does not hold the clip.
    """
    status, arrays = read_clip(path, clip, FaceTrack._fields)
    return status, FaceTrack(**arrays) if arrays else no_face(0)


def read_fps(path: str | Path) -> float:
    """Frames per second of all tracks of a store."""
    with open_store(path) as store:
        return float(store.attrs["fps"])


def boxes_at(face: FaceTrack, times_s: NDArray[np.float64], fps: float) -> NDArray[np.float32]:
    """The boxes (n, 4) of the track's frames nearest to n times; NaN where there is no face.

    Args:
        fps: of the track.
    """
    if not len(face.boxes):
        return np.full((len(times_s), 4), np.nan, np.float32)
    return face.boxes[np.clip(np.round(times_s * fps).astype(int), 0, len(face.boxes) - 1)]
