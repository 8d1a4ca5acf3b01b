"""Reducing frames."""

import cv2
import numpy as np
from numpy.typing import NDArray


def shrink(frame: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The frame (h, w, 3) reduced by averaging; one that would grow stays as it is, since enlarging adds nothing."""
    if scale >= 1:
        return frame
    height, width = (max(1, round(side * scale)) for side in frame.shape[:2])
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
