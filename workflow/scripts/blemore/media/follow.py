"""Following one person through the faces that were detected in single frames."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from blemore.media.tracks import FaceTrack, no_face

MIN_OVERLAP = 0.2
VELOCITY_DETECTIONS = 5
# What MTCNN wrongly takes for a face, it takes for one in one or two frames (cartoon of the test recordings, up to .94 sure).
MIN_DETECTIONS = 3


class Detections(NamedTuple):
    """All faces of one frame."""

    boxes: NDArray[np.float32]  # (n, 4) left, top, right, bottom in pixels
    landmarks: NDArray[np.float32]  # (n, 5, 2) x, y of eyes, nose, corners of the mouth; of two the one left in the picture first
    probability: NDArray[np.float32]  # (n,)


class Person:
    """Detections that belong together: ascending frames, and for each a row of that frame's detections."""

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.boxes: list[NDArray[np.float32]] = []
        self.rows: list[int] = []

    def add(self, frame: int, row: int, box: NDArray[np.float32]) -> None:
        self.frames.append(frame)
        self.rows.append(row)
        self.boxes.append(box)

    def expected(self, frame: int, max_gap: int) -> NDArray[np.float32]:
        """The box moved on as it last moved; who is missing for longer than `max_gap` is expected where they were."""
        k = min(VELOCITY_DETECTIONS, len(self.frames))
        if k == 1 or frame - self.frames[-1] > max_gap + 1:
            return self.boxes[-1]
        move = (self.boxes[-1] - self.boxes[-k]) / (self.frames[-1] - self.frames[-k])
        shift = (move[:2] + move[2:]) / 2 * (frame - self.frames[-1])
        return self.boxes[-1] + np.tile(shift, 2)


def follow_one(found: Mapping[int, Detections], n_frames: int, size: tuple[int, int], stride: int, max_gap: int) -> FaceTrack:
    """The track of the most prominent person of a clip, among those seen at least three times or in every searched frame.

    Args:
        found: frame -> its faces, frames ascending; for searched frames only, without rows where no face was found.
        n_frames: t, the frames of the clip.
        size: height and width of the frames in pixels.
        stride: distance of searched frames.
        max_gap: number of successive frames without support that are bridged by interpolation.
    """
    people = [person for person in link(found, max_gap) if len(person.frames) >= min(MIN_DETECTIONS, len(found))]
    if not people:
        return no_face(n_frames)
    person = max(people, key=lambda person: prominence(person, found, size))
    return interpolate(person, found, n_frames, stride, max_gap)


def link(found: Mapping[int, Detections], max_gap: int) -> list[Person]:
    """Joins the detections of successive frames to people, by the largest total overlap with where each is expected.

    Nobody is given up: who comes back to where they left is the same person.
    """
    people: list[Person] = []
    for frame, detections in found.items():
        expected = np.array([person.expected(frame, max_gap) for person in people]).reshape(-1, 4)
        overlaps = overlap(expected, detections.boxes)
        pairs = [(p, row) for p, row in zip(*linear_sum_assignment(overlaps, maximize=True)) if overlaps[p, row] >= MIN_OVERLAP]
        known = {row: people[p] for p, row in pairs}
        for row, box in enumerate(detections.boxes):
            if row not in known:
                people.append(known.setdefault(row, Person()))
            known[row].add(frame, row, box)
    return people


def overlap(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """Intersection over union of each of n boxes with each of m, (n, 4), (m, 4) -> (n, m)."""
    top_left = np.maximum(a[:, np.newaxis, :2], b[np.newaxis, :, :2])
    bottom_right = np.minimum(a[:, np.newaxis, 2:], b[np.newaxis, :, 2:])
    shared = np.prod(np.clip(bottom_right - top_left, 0, None), axis=2)
    total = areas(a)[:, np.newaxis] + areas(b)[np.newaxis] - shared
    return shared / np.maximum(total, np.finfo(np.float32).tiny)


def areas(boxes: NDArray[np.floating]) -> NDArray[np.floating]:
    """Areas of boxes, (n, 4) -> (n,)."""
    return np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)


def prominence(person: Person, found: Mapping[int, Detections], size: tuple[int, int]) -> float:
    """Sum over the detections of side length * probability * centrality.

    Side, not area: else a passer-by close to the camera outweighs who is there all the time. Centrality falls from 1 in
    the centre of the frame to 0 in its corners.
    """
    boxes = np.array(person.boxes)
    probability = np.array([found[frame].probability[row] for frame, row in zip(person.frames, person.rows)])
    middle = np.array(size[::-1]) / 2
    distance = np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 - middle, axis=1) / np.linalg.norm(middle)
    return float(np.sum(np.sqrt(areas(boxes)) * probability * np.clip(1 - distance, 0, None)))


def interpolate(person: Person, found: Mapping[int, Detections], n_frames: int, stride: int, max_gap: int) -> FaceTrack:
    """A person's detections and, linearly between them, the frames of bounded gaps; arguments as in `follow_one`."""
    picked = [[field[row] for field in found[frame]] for frame, row in zip(person.frames, person.rows)]
    numbers = np.array([np.concatenate([np.ravel(field) for field in fields]) for fields in picked])
    filled = np.stack([np.interp(np.arange(n_frames), person.frames, column) for column in numbers.T], axis=1).astype(np.float32)
    present, detected = np.zeros(n_frames, bool), np.zeros(n_frames, bool)
    present[person.frames] = detected[person.frames] = True
    for before, after in pairwise(person.frames):
        detected[before:after] |= after - before <= stride
        present[before:after] |= after - before <= max(stride, max_gap + 1)
    filled[~present] = np.nan
    filled[~detected, -1] = np.nan
    return FaceTrack(filled[:, :4], filled[:, 4:14].reshape(-1, 5, 2), filled[:, 14], detected)
