"""Which part of a clip's frames shows the person whose face is tracked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FACE_AT = 0.25  # of the crop's height, from its top: a face height of room above, the arms and the hips below


def person_crop(boxes: NDArray[np.floating], size: tuple[int, int], face_heights: float) -> tuple[int, int, int, int]:
    """One part of the frame for a whole clip, so that what moves in it is the person.

    It is a square of so many median face heights, at most the frame's shorter side, around the median face and within the frame. Where
    the face leaves it, it is made as wide and as high as the face's path.

    Args:
        boxes: (t, 4) of the face in each frame, left, top, right, bottom in pixels; NaN where there is none.
        size: height and width of the frames.
        face_heights: side of the square in heights of the face.

    Returns:
        Left, top, right, bottom in whole pixels; the whole frame where no frame has a face.
    """
    height, width = size
    seen = boxes[np.isfinite(boxes).all(1)].astype(float)
    if not len(seen):
        return 0, 0, width, height
    side = min(height, width, face_heights * float(np.median(seen[:, 3] - seen[:, 1])))
    left, right = _span(seen[:, [0, 2]], side, 0.5, width)
    top, bottom = _span(seen[:, [1, 3]], side, FACE_AT, height)
    return left, top, right, bottom


def _span(edges: NDArray[np.float64], side: float, share: float, limit: int) -> tuple[int, int]:
    """Start and end on one axis: the median centre lies at a share of it, all edges (t, 2) within if the frame allows."""
    first, last = np.clip([edges[:, 0].min(), edges[:, 1].max()], 0, limit)
    length = min(limit, max(1, round(max(side, last - first))))
    start = np.median(edges.mean(1)) - share * length
    start = round(float(np.clip(np.clip(start, last - length, first), 0, limit - length)))
    return start, start + length


def within(boxes: NDArray[np.float32], crop: Sequence[int], scale: float) -> NDArray[np.float32]:
    """Boxes (n, 4) of a frame in pixels of its crop that was resized by `scale`."""
    return (boxes - np.tile(np.array(crop[:2], np.float32), 2)) * np.float32(scale)
