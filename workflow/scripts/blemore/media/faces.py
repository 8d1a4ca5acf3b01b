"""Detecting faces with MTCNN, and the track of one person."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

from blemore.media.follow import Detections, follow_one
from blemore.media.images import shrink
from blemore.media.tracks import FaceTrack


@dataclass(frozen=True)
class TrackSettings:
    """`media.track` of the configuration, which says what each means."""

    fps: float = 30
    stride: int = 1
    detect_height: int | None = 240
    min_face_px: float = 20
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    max_gap_s: float = 0.5


def track_face(frames: Iterable[NDArray[np.uint8]], settings: TrackSettings | None = None, device: str = "cpu") -> FaceTrack:
    """The face of one person, followed through a clip.

    Args:
        frames: RGB frames (h, w, 3) of one size at `settings.fps`; an array (t, h, w, 3), or any iterable, which is read once
            and of which one frame is held at a time.
        settings: default as in config.yaml.
        device: torch device that detection runs on, or "auto" for CUDA where there is one.

    Returns:
        Boxes, landmarks, probability and `detected` for each of the t frames, in pixels of `frames`; NaN where there is no face.
        With `stride=1, detect_height=None` they are facenet-pytorch's own numbers for each frame.
    """
    settings = settings or TrackSettings()
    detector = face_detector(settings.min_face_px, tuple(settings.thresholds), device)
    found: dict[int, Detections] = {}
    index, frame = -1, np.empty((0, 0, 3), np.uint8)
    for index, frame in enumerate(frames):
        if index % settings.stride == 0:
            found[index] = detect_faces(detector, frame, settings.detect_height)
    if index >= 0 and index % settings.stride:
        # Beyond the last searched frame there would be nothing to interpolate to.
        found[index] = detect_faces(detector, frame, settings.detect_height)
    height, width = frame.shape[:2]
    return follow_one(found, index + 1, (height, width), settings.stride, round(settings.max_gap_s * settings.fps))


@cache
def face_detector(min_face_px: float, thresholds: tuple[float, ...], device: str) -> MTCNN:
    """facenet-pytorch's MTCNN with the weights of its package, once per process.

    Args:
        min_face_px: side of the smallest face in pixels of the frame that is searched.
    """
    torch.set_num_threads(1)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return MTCNN(keep_all=True, min_face_size=min_face_px, thresholds=list(thresholds), device=torch.device(device)).eval()


def detect_faces(detector: MTCNN, frame: NDArray[np.uint8], detect_height: int | None) -> Detections:
    """All faces of a frame, searched at a reduced height, in pixels of the frame itself.

    One frame per call: on one CPU thread a batch is no faster, and changes boxes by up to 0.7 pixels (non-maximum
    suppression shifts the images of a batch apart, which rounds), so the result would depend on its size.
    """
    searched = shrink(frame, 1 if detect_height is None else detect_height / frame.shape[0])
    scale = np.divide(frame.shape[1::-1], searched.shape[1::-1]).astype(np.float32)
    boxes, probability, landmarks = _detect(detector, searched)
    if boxes is None:
        return Detections(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))
    boxes, landmarks, probability = (np.asarray(field, np.float32) for field in (boxes, landmarks, probability))
    return Detections(boxes * np.tile(scale, 2), landmarks * scale, probability)


def _detect(detector: MTCNN, frame: NDArray[np.uint8]) -> tuple:
    if min(frame.shape[:2]) < detector.min_face_size:
        return None, None, None
    try:
        return detector.detect(frame, landmarks=True)
    except (IndexError, RuntimeError, ValueError) as error:
        # facenet-pytorch leaves candidates without area out of a list but not out of the mask over it.
        if isinstance(error, IndexError) or "non-empty list" in str(error):
            return None, None, None
        raise
