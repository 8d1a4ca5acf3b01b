"""One clip's part in the tracking of faces: when to search a frame, where to look, and who is who. The networks are asked, not called."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.media.follow import (
    MIN_OVERLAP,
    SAME_FACE,
    Face,
    Person,
    Sight,
    add_found,
    ambiguous,
    around,
    assign,
    choose_one,
    gains_of,
    most_overlapping,
    overlap_of,
    same_face,
    until_met,
)
from blemore.media.tasks import Task, together
from blemore.media.tracks import FaceTrack, no_face
from blemore.media.video import Unusable

Pixels = NDArray[np.uint8]
SMALL_PX = 480  # shorter side of the frames in which faces are followed only; see docs/decisions.md
LOOKS = 2  # of O-Net at a frame
SETTLED = 0.8  # overlap of O-Net's answer with where it looked from which looking again is of no use; of two looks, from which those between are not needed
MATTERS = 0.5  # share of the greatest gain; see `follow.CHOICES`
SURROUNDINGS = 1  # sides of a face that are searched around it when it is lost
SEARCHED_SIDE = 1.5  # side that it is reduced to for that, in smallest faces


@dataclass(frozen=True)
class TrackSettings:
    """`media.track` of the configuration, which says what each means."""

    fps: float = 30
    stride: int = 2
    search_interval_s: float = 0.6
    detect_height: int | None = 240
    min_face_px: float = 20
    thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7)
    follow_probability: float = 0.9
    landmarks: str = "auto"
    max_gap_s: float = 0.5
    smooth_s: float = 0.17
    person: str = "prominent"

    @property
    def plain(self) -> bool:
        """Whether facenet-pytorch's own numbers for each frame are asked for."""
        return self.stride == 1 and self.detect_height is None

    @property
    def detected(self) -> bool:
        """Whether facenet-pytorch's numbers are asked for, or nearly them."""
        return self.plain or self.landmarks == "detected"

    def of_size(self, size: tuple[int, ...]) -> "TrackSettings":
        """What `landmarks: auto` is for frames (height, width): `detected` where both are above `SMALL_PX`, else `followed`."""
        return replace(self, landmarks="detected" if min(size) > SMALL_PX else "followed") if self.landmarks == "auto" else self

    @property
    def search_interval(self) -> int:
        """Frames from one searched frame to the next."""
        return 1 if self.plain else max(self.stride, round(self.search_interval_s * self.fps))

    @property
    def max_gap(self) -> int:
        """Frames without support that are bridged."""
        return round(self.max_gap_s * self.fps)

    def sight(self, n_frames: int, size: tuple[int, int]) -> Sight:
        """How a clip of n frames of a size is put together."""
        smoothed = 1 if self.detected else int(self.smooth_s * self.fps) // 2 * 2 + 1
        return Sight(n_frames, size, self.stride, self.max_gap, smoothed)


class Search(NamedTuple):
    """Question: which faces are in the frame? Answered by a list of `Face`."""

    frame: Pixels
    height: int | None  # pixels that it is reduced to for P- and R-Net


class Detect(NamedTuple):
    """Question: which faces do all three networks find about the box in the frame as it is? Answered by a list of `Face`."""

    frame: Pixels
    box: NDArray[np.float32]


class Look(NamedTuple):
    """Question: what does O-Net see around the box? Answered by a `Face`, which may be improbable."""

    frame: Pixels
    box: NDArray[np.float32]


def track_clip(blocks: Iterable[list[Pixels]], settings: TrackSettings) -> Task[FaceTrack | Unusable]:
    """The task of one clip, which asks `Search`, `Look` and `Detect`.

    Args:
        blocks: its frames in lists of `settings.search_interval`; the last frame of each is searched, and the first of all.
    """
    people: list[Person] = []
    last, index, searched = np.empty((0, 0, 3), np.uint8), -1, 0
    try:
        for block in blocks:
            if index < 0:
                (found,) = yield [Search(block[0], settings.detect_height)]
                add_found(people, found, {}, 0)
                last, index, searched, block = block[0], 0, 1, block[1:]
                settings = settings.of_size(last.shape[:2])
                yield from _attend(people, Window(0, [last]), range(1), settings)
            if block:
                yield from _go_on(people, Window(index, [last, *block]), settings)
                last, index, searched = block[-1], index + len(block), searched + 1
            block = []  # its frames go before the next ones are read
    except Unusable as error:
        return error
    if index < 0:
        return no_face(0)
    height, width = last.shape[:2]
    return choose_one(people, searched, settings.sight(index + 1, (height, width)), settings.person)


class Window:
    """Successive frames of a clip, of which the first has been searched."""

    def __init__(self, start: int, frames: Sequence[Pixels]) -> None:
        self.start = start
        self.end = start + len(frames) - 1
        self.size = frames[0].shape[:2]
        self._frames = frames

    def __getitem__(self, frame: int) -> Pixels:
        return self._frames[frame - self.start]

    def halves(self) -> "tuple[Window, Window]":
        """The window up to its middle frame, and from it on."""
        middle = (self.end - self.start) // 2
        return Window(self.start, self._frames[: middle + 1]), Window(self.start + middle, self._frames[middle:])


def _follow_people(people: list[Person], window: Window, settings: TrackSettings, found: list[Face] | None = None) -> Task[None]:
    """Adds to `people` their faces after the first frame of a window, and whoever is new.

    Args:
        found: the faces of its last frame, where it has been searched already.
    """
    if found is None:
        (found,) = yield [Search(window[window.end], settings.detect_height)]
    if window.end - window.start > 1 and ambiguous(people, found, window.end, settings.max_gap):
        first, second = window.halves()
        yield from _follow_people(people, first, settings)
        yield from _follow_people(people, second, settings, found)
        return
    known = assign(people, found, window.end, settings.max_gap)
    if settings.plain:
        add_found(people, found, known, window.end)
        return
    leaving = [person for person in _who_matter(people, window.start, window, settings) if person not in known.values()]
    left = yield from together([_follow(window, person.faces[window.start], range(window.start + 1, window.end + 1), settings) for person in leaving])
    for person, path in zip(leaving, left):
        arrived = path.get(window.end)
        at = [row for row, face in enumerate(found) if arrived is not None and row not in known and same_face(face, arrived)]
        known |= dict.fromkeys(at[:1], person)
    add_found(people, found, known, window.end)
    relevant = [*_who_matter(people, window.start, window, settings), *_who_matter(people, window.end, window, settings)]
    staying = [person for person in people if window.end in person.searched and person not in leaving]
    bridges = yield from together([_bridge(window, person, person in relevant, settings) for person in staying])
    for person, path in zip([*staying, *leaving], [*bridges, *left]):
        others = [other for other in people if other is not person]
        paths = [path, dict(reversed(path.items()))] if {window.start, window.end} <= path.keys() else [path]
        for one in paths:
            person.faces = until_met(one, others) | person.faces


def _go_on(people: list[Person], window: Window, settings: TrackSettings) -> Task[None]:
    """Adds to `people` their faces after the first frame of a window, which nothing else holds, so that it goes before the next is read."""
    yield from _follow_people(people, window, settings)
    yield from _attend(people, window, range(window.start + 1, window.end + 1), settings)


def _attend(people: Sequence[Person], window: Window, new: range, settings: TrackSettings) -> Task[None]:
    """Looks more closely at who leads up to now, in the new frames of a window; who leads later has been seen as well as anybody.

    Where the face moves much from one look to the next, the frames that `stride` left out get one too: an even way between
    boxes is not accurate enough. With `landmarks: detected` all three networks look again, and where they find the face theirs counts.
    """
    if not people or settings.plain:
        return
    for person in people:
        person.count_gain(new, window.size, settings.person)
    leader = max(people, key=lambda person: person.gain)
    known = {frame: leader.faces[frame] for frame in range(window.start, window.end + 1) if frame in leader.faces}
    yield from _look_between(window, known, _in_motion(known, settings.stride), settings)
    if settings.landmarks == "detected":
        places = [(frame, known[frame].box) for frame in _thinned([frame for frame in new if frame in known], new, settings.stride)]
        answers = yield [Detect(window[frame], box) for frame, box in places]
        for (frame, box), faces in zip(places, answers):
            if face := most_overlapping(faces, box, SAME_FACE):
                known[frame] = face
    leader.faces |= known


def _thinned(frames: Sequence[int], new: range, stride: int) -> list[int]:
    """As few of some frames as leave no gap above a stride that was not there."""
    kept, last = list[int](), new.start - 1
    for frame, after in zip(frames, [*frames[1:], new.stop + stride]):
        if after - last > stride:
            kept.append(frame)
            last = frame
    return kept


def _who_matter(people: Sequence[Person], frame: int, window: Window, settings: TrackSettings) -> list[Person]:
    """Those found in a searched frame that are worth following where they come or go; in a crowd most are not.

    Who gains most there does, and who neither there nor up to now gains far less, compared with who leads if they are there.
    """
    there = [person for person in people if frame in person.searched]
    if not there:
        return []
    gains = gains_of([person.faces[frame] for person in there], window.size, settings.person)
    leader = max(people, key=lambda person: person.gain)
    least = MATTERS * leader.gain if leader in there else 0
    return [person for person, gain in zip(there, gains) if gain == max(gains) or (gain >= MATTERS * max(gains) and person.gain >= least)]


def _bridge(window: Window, person: Person, thorough: bool, settings: TrackSettings) -> Task[dict[int, Face]]:
    """A person on the way to the end of a window, where they were found; from its start, or backwards as far as they can be followed.

    Args:
        thorough: whether what O-Net does not see at once is looked into.
    """
    if window.start not in person.faces:
        if not thorough:
            return {}
        return (yield from _follow(window, person.faces[window.end], range(window.end - 1, window.start, -1), settings))
    known = {frame: person.faces[frame] for frame in (window.start, window.end)}
    yield from _look_between(window, known, range(window.start + settings.stride, window.end, settings.stride), settings)
    while thorough:
        lost = _unsupported(known, settings.stride)
        before = len(known)
        known |= yield from _search_around(window, lost, [_on_the_way(known, frame) for frame in lost], settings)
        if len(known) == before:
            break
        yield from _look_between(window, known, _unsupported(known, settings.stride), settings)
    return dict(sorted(known.items()))


def _unsupported(known: Mapping[int, Face], stride: int) -> list[int]:
    """The frames that lie in gaps of more than a stride."""
    gaps = [(before, after) for before, after in pairwise(sorted(known)) if after - before > stride]
    return [frame for before, after in gaps for frame in range(before + 1, after)]


def _in_motion(known: Mapping[int, Face], stride: int) -> list[int]:
    """The frames that `stride` left out where a face moves much."""
    gaps = [(before, after) for before, after in pairwise(sorted(known)) if after - before <= stride]
    moving = [(before, after) for before, after in gaps if overlap_of(known[before].box, known[after].box) < SETTLED]
    return [frame for before, after in moving for frame in range(before + 1, after)]


def _look_between(window: Window, known: dict[int, Face], frames: Sequence[int], settings: TrackSettings) -> Task[None]:
    """Adds to `known` what O-Net is sure to see in some frames between, on the way from one known box to the next.

    Where the motion is large, the face is not where it is looked for: O-Net looks once more around its own answer, and around
    what its neighbours have shown, as long as that shows more.
    """
    tries = dict.fromkeys(frames, 0)
    open_frames, more = list(frames), True
    while open_frames and more:
        boxes = [known[frame].box if frame in known else _on_the_way(known, frame) for frame in open_frames]
        seen = yield [Look(window[frame], box) for frame, box in zip(open_frames, boxes)]
        sure = {frame: face for frame, face, box in zip(open_frames, seen, boxes) if _sure(face, box, settings)}
        more = bool(sure)
        for frame in sure:
            tries[frame] += 1
        settled = {frame for frame, box in zip(open_frames, boxes) if frame in sure and overlap_of(sure[frame].box, box) >= SETTLED}
        known |= sure
        open_frames = [frame for frame in open_frames if frame not in settled and tries[frame] < LOOKS]


def _on_the_way(known: Mapping[int, Face], frame: int) -> NDArray[np.float32]:
    """Where a box would be in a frame that moves evenly between the known ones."""
    before, after = max(one for one in known if one < frame), min(one for one in known if one > frame)
    share = np.float32((frame - before) / (after - before))
    return (1 - share) * known[before].box + share * known[after].box


def _sure(face: Face, box: NDArray[np.float32], settings: TrackSettings) -> bool:
    """Whether what O-Net saw around a box is believed."""
    return bool(face.probability >= settings.follow_probability) and overlap_of(face.box, box) >= SAME_FACE


def _follow(window: Window, face: Face, frames: Iterable[int], settings: TrackSettings) -> Task[dict[int, Face]]:
    """A face from frame to frame, by O-Net where it would be if it moved on; where that is not sure its surroundings are searched, until nothing is found."""
    path: dict[int, Face] = {}
    shift = np.zeros(4, np.float32)
    for frame in frames:
        box = face.box + shift
        (seen,) = yield [Look(window[frame], box)]
        if not _sure(seen, box, settings):
            found = yield from _search_around(window, [frame], [box], settings)
            if not found:
                break
            seen = found[frame]
        move = seen.box - face.box
        shift = np.tile((move[:2] + move[2:]) / 2, 2)
        path[frame] = face = seen
    return path


def _search_around(window: Window, frames: Sequence[int], boxes: Sequence[NDArray[np.float32]], settings: TrackSettings) -> Task[dict[int, Face]]:
    """In each of some frames the face that overlaps most with a box, found by a search of its surroundings, as far as the picture shows them."""
    places = [(frame, box, _surroundings(window[frame], box)) for frame, box in zip(frames, boxes)]
    places = [place for place in places if place[2].pixels.size]
    heights = [round(SEARCHED_SIDE * settings.min_face_px * len(piece.pixels) / piece.side) for _, _, piece in places]
    answers = yield [Search(piece.pixels, height) for (_, _, piece), height in zip(places, heights)]
    found = {}
    for (frame, box, piece), faces in zip(places, answers):
        placed = [Face(face.box + np.tile(piece.corner, 2), face.landmarks + piece.corner, face.probability) for face in faces]
        if face := most_overlapping(placed, box, MIN_OVERLAP):
            found[frame] = face
    return found


class Piece(NamedTuple):
    """A part of a frame."""

    pixels: Pixels
    corner: NDArray[np.float32]  # (2,) x, y of its upper left pixel in the frame
    side: float  # of the face that it surrounds


def _surroundings(frame: Pixels, box: NDArray[np.float32]) -> Piece:
    """A box and its own size on each side of it."""
    (square,) = around(box[np.newaxis])
    side = float(square[2] - square[0])
    left, top, right, bottom = np.clip(square + SURROUNDINGS * side * np.array([-1, -1, 1, 1]), 0, None).astype(int)
    return Piece(frame[top:bottom, left:right], np.array([left, top], np.float32), side)
