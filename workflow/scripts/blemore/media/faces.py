"""The face of one person in every frame of a clip: searched for at intervals by MTCNN, followed between, in large frames detected about there."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from facenet_pytorch import MTCNN

from blemore.media.blocks import read_blocks
from blemore.media.cascade import O_SIDE, Cascade, cut, load_cascade, load_mtcnn
from blemore.media.follow import Detections, around, boxes_of
from blemore.media.pursuit import Detect, Look, Pixels, Search, TrackSettings, track_clip
from blemore.media.tasks import run_tasks
from blemore.media.tracks import FaceTrack
from blemore.media.video import Unusable


def track_face(frames: Iterable[Pixels], settings: TrackSettings | None = None, device: str = "cpu") -> FaceTrack:
    """The face of one person, followed through a clip.

    Args:
        frames: RGB frames (h, w, 3) of one size at `settings.fps`; an array (t, h, w, 3), or any iterable, which is read once.
        settings: default as in config.yaml.
        device: torch device that detection runs on, or "auto" for CUDA where there is one.

    Returns:
        Boxes, landmarks, probability and `detected` for each of the t frames, in pixels of `frames`; NaN where there is no face.
        With `stride=1, detect_height=None` they are facenet-pytorch's own numbers for each frame.
    """
    (track,) = track_faces([frames], settings or TrackSettings(), device)
    if isinstance(track, Unusable):
        raise track
    return track


def track_faces(
    clips: Iterable[Iterable[Pixels]], settings: TrackSettings, device: str = "cpu", at_once: int = 1, readers: int = 1
) -> Iterator[FaceTrack | Unusable]:
    """The track of each clip, in their order; a clip that cannot be read gives the error instead.

    Args:
        clips: as `frames` of `track_face`; taken up one by one.
        at_once: clips that are worked on side by side, their images in the same batches; changes no number.
        readers: threads that read clips ahead; 0: frames are read when they are needed, and half as many are in memory.
    """
    answer = answerer(settings, device)
    with ThreadPoolExecutor(max(1, readers)) as pool:
        reader = pool if readers else None
        yield from run_tasks((track_clip(read_blocks(frames, settings.search_interval, reader), settings) for frames in clips), answer, at_once)


def answerer(settings: TrackSettings, device: str) -> Callable[[list[Any]], list[Any]]:
    """What answers the questions of `track_clip`."""
    if settings.plain:
        mtcnn = load_mtcnn(settings.min_face_px, tuple(settings.thresholds), device)
        return lambda questions: [detect_faces(mtcnn, question.frame).faces() for question in questions]
    return partial(_answer, load_cascade(settings.min_face_px, tuple(settings.thresholds), device))


def _answer(cascade: Cascade, questions: Sequence[Search | Look | Detect]) -> list[Any]:
    searches = [question for question in questions if isinstance(question, Search)]
    looks = [question for question in questions if isinstance(question, Look)]
    places = [question for question in questions if isinstance(question, Detect)]
    squares = around(boxes_of(look.box for look in looks))
    patches = [cut(look.frame, square[np.newaxis], O_SIDE) for look, square in zip(looks, squares)]
    found = iter(cascade.search(searches) if searches else ())
    seen = iter(cascade.look(np.concatenate(patches), squares).faces() if looks else ())
    detected = iter(cascade.detect_around(places) if places else ())
    answers: dict[type, Callable[[], Any]] = {Search: lambda: next(found).faces(), Look: lambda: next(seen), Detect: lambda: next(detected).faces()}
    return [answers[type(question)]() for question in questions]


def detect_faces(mtcnn: MTCNN, frame: Pixels) -> Detections:
    """All faces of a frame, by facenet-pytorch's own call; its batches would shift boxes by up to 0.7 pixels."""
    boxes, probability, landmarks = _detect(mtcnn, frame)
    if boxes is None:
        return Detections(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))
    return Detections(*(np.asarray(field, np.float32) for field in (boxes, landmarks, probability)))


def _detect(mtcnn: MTCNN, frame: Pixels) -> tuple:
    if min(frame.shape[:2]) < mtcnn.min_face_size:
        return None, None, None
    try:
        return mtcnn.detect(frame, landmarks=True)
    except (IndexError, RuntimeError, ValueError) as error:
        # facenet-pytorch leaves candidates without area out of a list but not out of the mask over it.
        if isinstance(error, IndexError) or "non-empty list" in str(error):
            return None, None, None
        raise
