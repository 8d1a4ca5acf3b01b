"""Following people through the faces that were found in the frames of a clip. No network is involved here."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.signal import savgol_filter

from blemore.media.tracks import FaceTrack, no_face

MIN_OVERLAP = 0.2  # of a detection with where a person is expected
SAME_FACE = 0.5  # overlap from which two boxes of one frame are of one face
VELOCITY_FACES = 5
# What MTCNN wrongly takes for a face, it takes for one in one or two frames (cartoon of the test recordings, up to .94 sure).
MIN_FACES = 3


class Face(NamedTuple):
    """A face in one frame."""

    box: NDArray[np.float32]  # (4,) left, top, right, bottom in pixels
    landmarks: NDArray[np.float32]  # (5, 2) x, y of eyes, nose, corners of the mouth; of two the one left in the picture first
    probability: np.float32


class Detections(NamedTuple):
    """n faces: all of one frame, or those looked at."""

    boxes: NDArray[np.float32]  # (n, 4)
    landmarks: NDArray[np.float32]  # (n, 5, 2)
    probability: NDArray[np.float32]  # (n,)

    @classmethod
    def of(cls, faces: Sequence[Face]) -> "Detections":
        """Faces as rows."""
        return cls(boxes_of(face.box for face in faces), np.array([face.landmarks for face in faces]), np.array([face.probability for face in faces]))

    def faces(self) -> list[Face]:
        """The rows."""
        return [Face(*fields) for fields in zip(*self)]


class Person:
    """The faces that belong together.

    Attributes:
        faces: frame -> face, frames in any order.
        searched: the frames among them in which all three networks found the face.
        gain: what of a choice has been counted for it; see CHOICES.
    """

    def __init__(self) -> None:
        self.faces: dict[int, Face] = {}
        self.searched: set[int] = set()
        self.gain = 0.0

    def found(self, frame: int, face: Face) -> None:
        """Adds a face that a search of the frame has found."""
        self.faces[frame] = face
        self.searched.add(frame)

    def count_gain(self, frames: range, size: tuple[int, int], choice: str) -> None:
        """Adds what the person gains in those of some frames that were searched, which are the same for all."""
        if seen := [self.faces[frame] for frame in frames if frame in self.searched]:
            self.gain += float(np.sum(gains_of(seen, size, choice)))

    def expected(self, frame: int, max_gap: int) -> NDArray[np.float32]:
        """The box moved on as it last moved; who is missing for longer than `max_gap` is expected where they were."""
        known = sorted(self.faces)[-VELOCITY_FACES:]
        first, last = known[0], known[-1]
        box = self.faces[last].box
        if first == last or frame - last > max_gap + 1:
            return box
        move = (box - self.faces[first].box) / (last - first)
        shift = (move[:2] + move[2:]) / 2 * (frame - last)
        return box + np.tile(shift, 2)


class Sight(NamedTuple):
    """A clip to be looked at as a whole."""

    n_frames: int
    size: tuple[int, int]  # height and width of the frames in pixels
    stride: int  # of the frames that are looked at
    max_gap: int  # successive frames without support that are bridged by interpolation
    smoothed: int  # frames that smoothing looks at, odd; 1: no smoothing


def assign(people: Sequence[Person], found: Sequence[Face], frame: int, max_gap: int) -> dict[int, Person]:
    """Index of a face -> the person it belongs to, by the largest total overlap with where each is expected.

    Nobody is given up: who comes back to where they left is the same person.
    """
    overlaps = overlap(boxes_of(person.expected(frame, max_gap) for person in people), boxes_of(face.box for face in found))
    pairs = zip(*linear_sum_assignment(overlaps, maximize=True))
    return {int(row): people[index] for index, row in pairs if overlaps[index, row] >= MIN_OVERLAP}


def add_found(people: list[Person], found: Sequence[Face], known: Mapping[int, Person], frame: int) -> None:
    """Adds the faces of a searched frame to the people they belong to, and to `people` whoever is new."""
    new = {row: Person() for row in range(len(found)) if row not in known}
    people += new.values()
    for row, person in {**known, **new}.items():
        person.found(frame, found[row])


def ambiguous(people: Sequence[Person], found: Sequence[Face], frame: int, max_gap: int) -> bool:
    """Whether who is who is in doubt: a person may nearly as well be another face, or a face another person, whether they stay or move on."""
    boxes = boxes_of(face.box for face in found)
    moved, stayed = (
        overlap(boxes_of(where), boxes)
        for where in ((person.expected(frame, max_gap) for person in people), (person.faces[max(person.faces)].box for person in people))
    )
    overlaps = np.maximum(moved, stayed)
    return any(len(row) > 1 and row[1] >= max(MIN_OVERLAP, row[0] / 2) for row in [*np.sort(overlaps)[:, ::-1], *np.sort(overlaps.T)[:, ::-1]])


def boxes_of(boxes: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Boxes as an array (n, 4), n may be 0."""
    return np.array(list(boxes), np.float32).reshape(-1, 4)


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


def around(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Squares with the centres of boxes and their longer sides, (n, 4) -> (n, 4)."""
    size = boxes[:, 2:] - boxes[:, :2]
    side = size.max(1, keepdims=True)
    corner = boxes[:, :2] + (size - side) / 2
    return np.concatenate([corner, corner + side], 1)


def overlap_of(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Intersection over union of two boxes (4,): `overlap` without the cost of small arrays."""
    left, top, right, bottom = one.tolist()
    other_left, other_top, other_right, other_bottom = other.tolist()
    width, height = min(right, other_right) - max(left, other_left), min(bottom, other_bottom) - max(top, other_top)
    shared = width * height if width > 0 and height > 0 else 0.0
    total = (right - left) * (bottom - top) + (other_right - other_left) * (other_bottom - other_top) - shared
    return shared / total if total > 0 else 0.0


def most_overlapping(faces: Sequence[Face], box: NDArray[np.float32], least: float) -> Face | None:
    """The face that overlaps most with a box (4,), and at least so much."""
    face = max(faces, key=lambda face: overlap_of(face.box, box), default=None)
    return face if face and overlap_of(face.box, box) >= least else None


def same_face(one: Face, other: Face) -> bool:
    """Whether two boxes of a frame are of one face."""
    return overlap_of(one.box, other.box) >= SAME_FACE


def until_met(path: Mapping[int, Face], others: Sequence[Person]) -> dict[int, Face]:
    """A path, in the order of its frames, up to where it meets another person: from there on it is likely theirs."""
    kept = {}
    for frame, face in path.items():
        if any(frame in other.faces and same_face(face, other.faces[frame]) for other in others):
            break
        kept[frame] = face
    return kept


def choose_one(people: Sequence[Person], searched: int, sight: Sight, choice: str) -> FaceTrack:
    """The track of one person of a clip, among those seen at least three times or in every searched frame.

    Args:
        people: none of them without a face.
        searched: number of searched frames.
        choice: one of `CHOICES`.
    """
    tracks = [fill(person, sight) for person in people if len(person.faces) >= min(MIN_FACES, searched)]
    if not tracks:
        return no_face(sight.n_frames)
    return smooth(max(tracks, key=lambda track: float(np.sum(CHOICES[choice](track, sight.size)[track.detected]))), sight.smoothed)


def fill(person: Person, sight: Sight) -> FaceTrack:
    """A person's faces and, linearly between them, the frames of bounded gaps."""
    frames = sorted(person.faces)
    numbers = np.array([np.concatenate([np.ravel(field) for field in person.faces[frame]]) for frame in frames])
    filled = np.stack([np.interp(np.arange(sight.n_frames), frames, column) for column in numbers.T], axis=1).astype(np.float32)
    present, detected = np.zeros(sight.n_frames, bool), np.zeros(sight.n_frames, bool)
    present[frames] = detected[frames] = True
    for before, after in pairwise(frames):
        detected[before:after] |= after - before <= sight.stride
        present[before:after] |= after - before <= max(sight.stride, sight.max_gap + 1)
    filled[~present] = np.nan
    filled[~detected, -1] = np.nan
    return FaceTrack(filled[:, :4], filled[:, 4:14].reshape(-1, 5, 2), filled[:, 14], detected)


def smooth(track: FaceTrack, width: int) -> FaceTrack:
    """Boxes and landmarks by Savitzky-Golay filters of degree 2 (1964, Anal. Chem. 36(8)): symmetric in time, so without lag.

    Nothing is smoothed across frames without a face, nor across a jump of the box.
    """
    filtered = [track.boxes.copy(), track.landmarks.copy()]
    for run in _runs(track.boxes):
        length = min(width, (run.stop - run.start - 1) // 2 * 2 + 1)
        if length > 3:  # a parabola through three points is the points
            for field in filtered:
                field[run] = savgol_filter(field[run], length, 2, axis=0)
    return track._replace(boxes=filtered[0], landmarks=filtered[1])


def _runs(boxes: NDArray[np.float32]) -> list[slice]:
    """The longest stretches of frames with a face that moves steadily."""
    steady = [overlap_of(one, other) >= SAME_FACE for one, other in pairwise(boxes)]
    breaks = [0, *(index + 1 for index, holds in enumerate(steady) if not holds), len(boxes)]
    return [slice(start, stop) for start, stop in pairwise(breaks) if stop > start and np.isfinite(boxes[start]).all()]


def gains_of(faces: Sequence[Face], size: tuple[int, int], choice: str) -> NDArray[np.float64]:
    """What each of some faces gains for its person; see CHOICES."""
    return np.asarray(CHOICES[choice](Detections.of(faces), size))


def _side(seen: FaceTrack | Detections, size: tuple[int, int]) -> NDArray[np.float64]:
    # Side, not area: else a passer-by close to the camera outweighs who is there all the time.
    return np.sqrt(areas(seen.boxes))


def _centrality(seen: FaceTrack | Detections, size: tuple[int, int]) -> NDArray[np.float64]:
    """From 1 in the centre of the frame to 0 in its corners."""
    middle = np.array(size[::-1]) / 2
    distance = np.linalg.norm((seen.boxes[:, :2] + seen.boxes[:, 2:]) / 2 - middle, axis=1) / np.linalg.norm(middle)
    return np.clip(1 - distance, 0, None)


# What a person gains in every frame that they are detected in; who gains most is followed.
CHOICES: dict[str, Callable[[FaceTrack | Detections, tuple[int, int]], NDArray[np.float64]]] = {
    "prominent": lambda seen, size: _side(seen, size) * _centrality(seen, size) * seen.probability,
    "largest": _side,
    "central": _centrality,
    "longest": lambda seen, size: np.ones(len(seen.boxes)),
}
