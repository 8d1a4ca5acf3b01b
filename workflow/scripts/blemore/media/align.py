"""Cutting an upright face of fixed size out of a frame."""

import cv2
import numpy as np
from numpy.typing import NDArray

from blemore.media.images import shrink

# Eyes, nose, corners of the mouth in a 112 x 112 image that the face fills: the reference points of ArcFace
# (arXiv:1801.07698, insightface `face_align.arcface_dst`), in facenet-pytorch's order.
TEMPLATE_112 = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]])


def template(size: int, margin: float) -> NDArray[np.float64]:
    """Where the five landmarks belong in a `size` x `size` crop of which the share `margin` surrounds the face, (5, 2)."""
    return size * (0.5 + (TEMPLATE_112 / 112 - 0.5) * (1 - margin))


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rotation, uniform scale and shift that bring points closest to others in the least-squares sense, without mirroring.

    Points are taken as complex numbers, where the closed form of Umeyama (1991, IEEE PAMI 13(4), equations 40-42) in two
    dimensions becomes one division.

    Args:
        source, target: (n, 2), n >= 2.

    Returns:
        Matrix (2, 3) for `cv2.warpAffine`.

    Raises:
        ValueError: if all points of `source` are one.
    """
    p, q = (points[:, 0] + 1j * points[:, 1] for points in np.asarray([source, target], np.float64))
    centred = p - p.mean()
    spread = np.vdot(centred, centred).real
    if not spread:
        raise ValueError("all points are one: no similarity is defined")
    turn = np.vdot(centred, q) / spread
    shift = q.mean() - turn * p.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def crop_face(frame: NDArray[np.uint8], landmarks: NDArray[np.floating], size: int, margin: float) -> NDArray[np.uint8]:
    """The face upright, its landmarks at the places of `template`; black where the frame ends.

    Args:
        frame: (h, w, 3).
        landmarks: (5, 2) in pixels of the frame.
        size: side of the crop in pixels.
        margin: share of the crop that surrounds the face.

    Returns:
        Crop (size, size, 3).
    """
    goal = template(size, margin)
    matrix = similarity(landmarks, goal)
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < 0.5:
        # Bilinear interpolation looks at 2 x 2 pixels; a stronger reduction has to average before it.
        reduced = shrink(frame, scale)
        ratio = np.divide(reduced.shape[1::-1], frame.shape[1::-1])
        frame, matrix = reduced, similarity((landmarks + 0.5) * ratio - 0.5, goal)
    return np.asarray(cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)
