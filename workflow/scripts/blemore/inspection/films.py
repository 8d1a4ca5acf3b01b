"""Pictures of a clip with what is known of the face in each, and its sound: what a contact sheet is made of."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from blemore.inspection.opening import Store, file_of, groups
from blemore.media.align import similarity, template
from blemore.media.frames import decode_jpeg
from blemore.media.tracks import FaceTrack, read_fps, read_track
from blemore.media.video import Unusable, iter_video
from blemore.stores import manifest_path


class Film(NamedTuple):
    """Some pictures of one clip, evenly spread; NaN where a face is not known."""

    clip: str
    status: str
    length: int  # pictures that the store has of the clip
    pictures: list[NDArray[np.uint8]]  # RGB
    times_s: NDArray[np.float64]
    boxes: NDArray[np.float32]  # (n, 4)
    landmarks: NDArray[np.float32]  # (n, 5, 2)
    detected: NDArray[np.bool_]  # (n,) False with landmarks that are known: interpolated
    sound: NDArray[np.float32]  # empty where there is none


def films(store: Store, clips: Sequence[str], most: int) -> Iterator[Film]:
    """The clips of a store of faces, body frames or MP4 clips, at most `most` pictures of each."""
    for clip in clips:
        yield _mp4(store, clip, most) if store.kind == "clips" else _jpegs(store, clip, most)


def _jpegs(store: Store, clip: str, most: int) -> Film:
    _, status, arrays = next(groups(store, clip))
    if not len(arrays.get("jpeg", ())):
        return _empty(store, clip, status)
    jpegs = arrays["jpeg"]
    chosen = spread(len(jpegs), most)
    pictures = [decode_jpeg(jpegs[index], index, clip, store.path) for index in chosen]
    times_s = arrays["timestamps_s"][chosen]
    own = arrays["boxes"][chosen] if "boxes" in arrays else np.full((len(chosen), 4), np.nan, np.float32)
    boxes, landmarks, detected = _face(store, clip, times_s, own)
    return Film(clip, status, len(jpegs), pictures, times_s, boxes, landmarks, detected, _sound(store, clip))


def _mp4(store: Store, clip: str, most: int) -> Film:
    status, fps = store.manifest["status"][clip], store.attributes["settings"]["fps"]
    try:
        frames = list(iter_video(file_of(store, clip), fps)) if file_of(store, clip).is_file() else []
    except Unusable:
        frames = []
    if not frames:
        return _empty(store, clip, status)
    chosen = spread(len(frames), most)
    pictures, times_s = [frames[index].pixels for index in chosen], np.array([frames[index].timestamp_s for index in chosen])
    boxes, landmarks, detected = _face(store, clip, times_s, np.full((len(chosen), 4), np.nan, np.float32))
    return Film(clip, status, len(frames), pictures, times_s, boxes, landmarks, detected, _sound(store, clip, len(frames) / fps))


def _empty(store: Store, clip: str, status: str) -> Film:
    nothing = np.full((0, 5, 2), np.nan, np.float32)
    return Film(clip, status, 0, [], np.zeros(0), nothing[:, 0], nothing, np.zeros(0, bool), _sound(store, clip))


def spread(length: int, most: int) -> NDArray[np.int64]:
    """At most `most` of `length` indices, evenly spread, the first and last among them."""
    return np.unique(np.round(np.linspace(0, length - 1, min(most, length))).astype(np.int64))


def _face(store: Store, clip: str, times_s: NDArray, boxes: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Boxes and landmarks in pixels of the store's pictures, from the track beside it."""
    unknown = boxes, np.full((len(times_s), 5, 2), np.nan, np.float32), np.ones(len(times_s), bool)
    path = store.path.parent.parent / "track" / f"{store.path.stem}.h5"
    if store.kind == "clips" or not manifest_path(path).is_file():
        return unknown
    _, track = read_track(path, clip)
    if not len(track.detected):
        return unknown
    at = np.clip(np.round(times_s * read_fps(path)).astype(int), 0, len(track.detected) - 1)
    seen = FaceTrack(*(values[at] for values in track))
    landmarks = _on_crops(store, seen.landmarks) if store.kind == "faces" else _on_body(seen, boxes)
    return boxes, landmarks, seen.detected


def _on_crops(store: Store, landmarks: NDArray) -> NDArray:
    """Each frame's landmarks moved as its crop was."""
    goal = template(store.attributes["settings"]["size"], store.attributes["settings"]["margin"])
    moved = np.full_like(landmarks, np.nan)
    for index, points in enumerate(landmarks):
        if np.isfinite(points).all():
            matrix = similarity(points, goal)
            moved[index] = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def _on_body(seen: FaceTrack, boxes: NDArray) -> NDArray:
    """Landmarks scaled and shifted as the box of the same frame was."""
    scale = (boxes[:, 2:] - boxes[:, :2]) / (seen.boxes[:, 2:] - seen.boxes[:, :2])
    return (seen.landmarks - seen.boxes[:, np.newaxis, :2]) * scale[:, np.newaxis] + boxes[:, np.newaxis, :2]


def _sound(store: Store, clip: str, length_s: float | None = None) -> NDArray[np.float32]:
    """The clip's sound from the audio folder beside the store, all of it or its first seconds."""
    path: Path = store.path.parent.parent / "audio" / store.path.stem / f"{clip}.flac"
    if not path.is_file():
        return np.zeros(0, np.float32)
    samples, sample_rate_hz = soundfile.read(path, dtype="float32")
    return samples if length_s is None else samples[: round(length_s * sample_rate_hz)]
