"""Who is asked for, when and where, in invented scenes: the answers are what the scene holds, no network is involved."""

import weakref
from types import SimpleNamespace

import numpy as np
import pytest

from blemore.media import pursuit
from blemore.media.blocks import read_blocks
from blemore.media.follow import Face, areas, overlap
from blemore.media.pursuit import Detect, Look, Search, TrackSettings, track_clip
from blemore.media.tasks import run_tasks

HEIGHT, WIDTH = 480, 640


class Picture:
    """A frame, or a piece of one, that knows where it is from instead of having pixels."""

    def __init__(self, index, top=0, left=0, bottom=HEIGHT, right=WIDTH):
        self.index, self.top, self.left, self.bottom, self.right = index, top, left, bottom, right
        self.shape = (bottom - top, right - left, 3)
        self.size = 3 * (bottom - top) * (right - left)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, where):
        rows, columns = (span.indices(side) for span, side in zip(where, self.shape))
        bottom, right = max(rows[:2]), max(columns[:2])
        return Picture(self.index, self.top + rows[0], self.left + columns[0], self.top + bottom, self.left + right)


class Scene:
    """Square faces that move: name -> function of the frame that gives (x, y, side), or None where the face is not there.

    hidden: frame -> names that a search of the whole frame misses. unsure: frame -> names that O-Net does not recognise.
    """

    def __init__(self, n_frames, hidden=None, unsure=None, **people):
        self.n_frames, self.people = n_frames, people
        self.hidden, self.unsure = hidden or {}, unsure or {}
        self.asked = []

    def face(self, name, index):
        place = self.people[name](index)
        if place is None:
            return None
        x, y, side = place
        box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)
        return Face(box, np.tile(np.array([x, y], np.float32), (5, 1)), np.float32(0.99))

    def answer(self, questions):
        self.asked += [SimpleNamespace(kind=type(question).__name__, frame=question.frame, box=getattr(question, "box", None)) for question in questions]
        return self.see(questions)

    def see(self, questions):
        answers = {Search: lambda question: self.search(question.frame), Look: self.look, Detect: self.detect}
        return [answers[type(question)](question) for question in questions]

    def detect(self, question):
        """All faces of the frame, marked with theirs by another landmark; who is hidden is not found."""
        return [face._replace(landmarks=face.landmarks + 7) for face in self.search(question.frame)]

    def search(self, picture):
        whole = picture.shape[:2] == (HEIGHT, WIDTH)
        found = []
        for name in self.people:
            face = self.face(name, picture.index)
            missed = name in self.hidden.get(picture.index, ()) and (whole or name in self.unsure.get(picture.index, ()))
            if face is None or missed:
                continue
            x, y = (face.box[:2] + face.box[2:]) / 2
            if picture.left <= x < picture.right and picture.top <= y < picture.bottom:
                corner = np.array([picture.left, picture.top], np.float32)
                found.append(Face(face.box - np.tile(corner, 2), face.landmarks - corner, face.probability))
        return found

    def look(self, question):
        """The face nearest to the square; unrecognised where hardly half of it is in the square."""
        seen = Face(question.box, np.zeros((5, 2), np.float32), np.float32(0.01))
        best = 0.3
        for name in self.people:
            face = self.face(name, question.frame.index)
            if face is None or name in self.unsure.get(question.frame.index, ()):
                continue
            agrees = overlap(face.box[np.newaxis], question.box[np.newaxis])[0, 0]
            if agrees > best:
                best, seen = agrees, face
        return seen

    def track(self, **settings):
        settings = TrackSettings(**{"smooth_s": 0, **settings})
        frames = (Picture(index) for index in range(self.n_frames))
        (track,) = run_tasks([track_clip(read_blocks(frames, settings.search_interval), settings)], self.answer, 1)
        return track

    def count(self, kind, whole=True):
        return sum(one.kind == kind and (one.frame.shape[:2] == (HEIGHT, WIDTH)) == whole for one in self.asked)


def middles(track):
    return (track.boxes[:, :2] + track.boxes[:, 2:]) / 2


def truth(scene, name):
    return np.array([(scene.people[name](index) or (np.nan,) * 3)[:2] for index in range(scene.n_frames)])


def still(x, y=240, side=100):
    return lambda index: (x, y, side)


def between(start, stop, place):
    return lambda index: place(index) if start <= index < stop else None


def test_a_still_face_is_searched_at_intervals_and_looked_at_between():
    scene = Scene(90, a=still(300))
    track = scene.track()
    assert track.detected.all()
    assert np.allclose(middles(track), [300, 240])
    assert scene.count("Search") == 6
    assert scene.count("Search", whole=False) == 0
    assert scene.count("Look") == sum(one.kind == "Look" for one in scene.asked) <= 45


def test_every_frame_is_searched_and_none_looked_at_for_facenets_own_numbers():
    scene = Scene(20, a=still(300))
    track = scene.track(stride=1, detect_height=None, smooth_s=1)
    assert track.detected.all()
    assert [one.frame.index for one in scene.asked] == list(range(20))
    assert {one.kind for one in scene.asked} == {"Search"}


def test_an_interval_of_zero_searches_every_kth_frame():
    scene = Scene(21, a=still(300))
    assert scene.track(stride=4, search_interval_s=0).detected.all()
    assert scene.count("Search") == 7
    assert scene.count("Look") == 0


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(
    "path",
    [
        lambda i: (100 + 4 * i, 240, 100),
        lambda i: (60 + 10 * i, 240, 60) if i < 55 else (600, 240, 60),  # a sixth of its width in every frame
        lambda i: (320 + 60 * np.sin(i / 3), 240 + 30 * np.cos(i / 2), 100),  # back and forth between two searches
        lambda i: (320, 240, 60 + i),
    ],
)
def test_motion_of_any_kind_is_followed(path, stride):
    scene = Scene(60, a=path)
    track = scene.track(stride=stride)
    assert track.detected.all()
    assert np.abs(middles(track) - truth(scene, "a")).max() < 12 * (stride - 1) + 1
    if stride == 1:
        assert middles(track) == pytest.approx(truth(scene, "a"), abs=1e-3)


@pytest.mark.parametrize("stride", [2, 3])
def test_where_a_face_moves_much_every_frame_is_looked_at(stride):
    scene = Scene(60, a=lambda i: (320 + 60 * np.sin(min(max(i, 18), 40) / 3), 240, 60))
    track = scene.track(stride=stride)
    errors = np.abs(middles(track) - truth(scene, "a"))
    assert errors[abs(np.cos(np.arange(60) / 3)) > 0.6].max() < 1e-3
    assert len({one.frame.index for one in scene.asked} & {index for index in range(19, 40) if (index - 18) % stride}) >= 6
    assert not {one.frame.index for one in scene.asked} & {index for index in range(1, 17) if index % stride}


@pytest.mark.parametrize(
    "turned", [lambda x, y: (x, y), lambda x, y: (WIDTH - x, y), lambda x, y: (y, x * HEIGHT / WIDTH), lambda x, y: (y, HEIGHT - x * HEIGHT / WIDTH)]
)
def test_a_face_that_leaves_the_picture_faster_than_its_size_is_not_looked_for_outside(turned):
    scene = Scene(40, a=between(0, 8, lambda i: (*turned(42 + 12 * i**2, 240), 60)))
    track = scene.track(stride=1)
    assert np.flatnonzero(track.detected).tolist() == list(range(8))
    assert all(one.frame.size for one in scene.asked)


@pytest.mark.parametrize(("start", "stop"), [(0, 31), (7, 60), (13, 44), (18, 37)])
def test_a_face_that_comes_and_goes_is_there_in_exactly_its_frames(start, stop):
    scene = Scene(60, a=between(start, stop, still(300)))
    assert np.flatnonzero(scene.track().detected).tolist() == list(range(start, stop))


def test_a_face_that_returns_is_the_same_person_and_a_long_absence_stays_empty():
    scene = Scene(90, a=lambda index: None if 25 <= index < 60 else (300, 240, 100))
    track = scene.track()
    assert np.flatnonzero(~np.isfinite(track.boxes[:, 0])).tolist() == list(range(25, 60))


def test_a_short_absence_is_bridged_and_marked():
    scene = Scene(60, a=lambda index: None if 25 <= index < 33 else (300 + index, 240, 100))
    track = scene.track()
    assert np.flatnonzero(~track.detected).tolist() == list(range(25, 33))
    assert middles(track)[:, 0] == pytest.approx(300 + np.arange(60))


def test_a_cut_to_another_person_does_not_move_the_track():
    scene = Scene(60, a=between(0, 35, still(150)), b=between(35, 60, still(480)))
    track = scene.track()
    assert np.flatnonzero(track.detected).tolist() == list(range(35))
    assert np.allclose(middles(track)[:35], [150, 240])


def test_a_face_turned_away_is_lost_for_exactly_those_frames():
    away = dict.fromkeys(range(20, 30), ("a",))
    track = Scene(60, hidden=away, unsure=away, a=still(300)).track()
    assert np.flatnonzero(~track.detected).tolist() == list(range(20, 30))
    assert np.isfinite(track.boxes).all()


def test_a_face_that_a_search_misses_is_carried_by_the_third_network():
    scene = Scene(60, hidden={17: ("a",), 53: ("a",)}, a=still(300))
    track = scene.track()
    assert track.detected.all()


def test_where_the_third_network_fails_the_surroundings_are_searched():
    scene = Scene(60, unsure=dict.fromkeys(range(22, 27), ("a",)), a=still(300))
    track = scene.track()
    assert track.detected.all()
    assert 0 < scene.count("Search", whole=False) <= 5


@pytest.mark.parametrize("speed", [4, 8, 14])
def test_crossing_people_keep_their_own_track(speed):
    scene = Scene(40, a=lambda i: (320 + speed * (i - 20), 230, 80), b=lambda i: (320 - speed * (i - 20), 250, 60))
    track = scene.track(person="largest")
    seen = track.detected
    assert seen.mean() > 0.9
    assert np.abs(middles(track) - truth(scene, "a"))[seen].max() < 12


def test_a_bigger_passer_by_does_not_take_over():
    scene = Scene(90, person=still(320, side=80), passer=between(25, 50, lambda i: (25 * (i - 25), 240, 200)))
    track = scene.track()
    assert np.allclose(middles(track)[track.detected], [320, 240])
    assert track.detected.mean() > 0.9


def test_a_passer_by_in_front_hides_the_person_and_no_more():
    hidden = dict.fromkeys(range(36, 40), ("person",))
    scene = Scene(90, hidden=hidden, unsure=hidden, person=still(320, side=80), passer=between(25, 50, lambda i: (25 * (i - 25), 240, 200)))
    track = scene.track()
    assert np.allclose(middles(track)[np.isfinite(track.boxes[:, 0])], [320, 240])
    assert set(range(36, 40)) <= set(np.flatnonzero(~track.detected)) <= set(range(30, 46))


def test_a_stray_detection_is_no_person():
    hidden = {index: ("stray",) for index in range(60) if index != 35}
    unsure = {index: ("stray",) for index in range(60) if index != 35}
    assert not Scene(60, hidden=hidden, unsure=unsure, stray=still(300)).track().detected.any()


def test_nobody_costs_no_more_than_the_searches_at_intervals():
    scene = Scene(90)
    assert not scene.track().detected.any()
    assert len(scene.asked) == scene.count("Search") == 6


def test_small_faces_that_come_and_go_in_a_crowd_cost_little():
    def flickering(n):
        return lambda index: (40 + 55 * n, 60, 30) if (index // 7 + n) % 2 else None

    crowd = {f"b{n}": flickering(n) for n in range(10)}
    scene = Scene(90, a=still(320, side=120), **crowd)
    track = scene.track()
    assert np.allclose(middles(track), [320, 240])
    assert scene.count("Search") + scene.count("Search", whole=False) <= 12


def test_who_comes_and_is_larger_than_who_leads_is_there_from_their_first_frame():
    track = Scene(80, a=still(320, side=60), b=between(25, 80, still(330, 100, 160))).track()
    assert np.flatnonzero(track.boxes[:, 2] - track.boxes[:, 0] > 100).tolist() == list(range(25, 80))


def test_who_has_gained_far_less_than_a_leader_who_is_there_is_not_followed():
    """Found by a search in frames 0, 53 and 107; how many looks at the place of b come from each."""
    scene = Scene(126, a=still(320, side=120), b=lambda i: (180, 240, 110) if (i + 4) % 54 < 10 else None)
    scene.track()
    looks = [one.frame.index for one in scene.asked if one.kind == "Look" and abs(one.box[0] - 125) < 20]
    assert [index for index in looks if index < 18]
    assert not [index for index in looks if 100 < index < 126]


@pytest.mark.parametrize("landmarks", ["followed", "detected"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("path", [still(300), lambda i: (300 + 60 * np.sin(i / 3), 240, 60)])
def test_frames_that_are_done_with_are_forgotten_before_others_are_read(path, stride, landmarks):
    settings, alive, most = TrackSettings(stride=stride, landmarks=landmarks), weakref.WeakSet(), []
    scene = Scene(120, a=path, b=between(30, 80, still(480)))

    def frames():
        for index in range(scene.n_frames):
            picture = Picture(index)
            alive.add(picture)
            most.append(len(alive))
            yield picture
            del picture

    list(run_tasks([track_clip(read_blocks(frames(), settings.search_interval), settings)], scene.see, 1))
    assert max(most) <= settings.search_interval + 1


@pytest.mark.parametrize("n_frames", [0, 1, 2, 3, 12, 19, 20])
def test_clips_of_any_length(n_frames):
    track = Scene(n_frames, a=still(300)).track()
    assert len(track.detected) == n_frames
    assert track.detected.all()


def test_boxes_keep_their_size():
    track = Scene(60, a=lambda i: (200 + 3 * i, 240, 100)).track()
    assert areas(track.boxes) == pytest.approx(np.full(60, 10000.0), rel=1e-3)


def marked(track):
    """Frames whose landmarks are those that all three networks gave."""
    return np.flatnonzero(np.isclose(track.landmarks[:, 0] - middles(track), 7).all(axis=1)).tolist()


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("n_frames", [1, 2, 31, 60])
def test_landmarks_of_all_three_networks_are_asked_for_once_in_every_kth_frame(n_frames, stride):
    scene = Scene(n_frames, a=still(300))
    track = scene.track(landmarks="detected", stride=stride, smooth_s=1)
    asked = sorted(one.frame.index for one in scene.asked if one.kind == "Detect")
    assert len(set(asked)) == len(asked)
    assert {0, n_frames - 1} <= set(asked)
    assert max(np.diff(asked), default=0) <= stride
    assert len(asked) <= -(-n_frames // stride) + scene.count("Search")
    assert marked(track) == list(range(n_frames))


@pytest.mark.parametrize(("size", "landmarks"), [((480, 640), "followed"), ((848, 480), "followed"), ((481, 481), "detected"), ((1080, 1920), "detected")])
def test_landmarks_are_detected_in_large_frames(size, landmarks):
    for others in ({}, {"detect_height": None}):
        assert TrackSettings(**others).of_size(size) == TrackSettings(**others, landmarks=landmarks)
    assert TrackSettings(landmarks="followed").of_size(size).landmarks == "followed"
    assert TrackSettings(landmarks="detected").of_size(size).landmarks == "detected"


@pytest.mark.parametrize(("small_px", "landmarks"), [(479, "detected"), (480, "followed")])
def test_a_track_with_landmarks_left_open_is_in_everything_the_one_for_its_size(small_px, landmarks, monkeypatch):
    """Smoothed or not, too; the scene is 480 pixels high."""
    monkeypatch.setattr(pursuit, "SMALL_PX", small_px)
    scene = Scene(60, a=lambda i: (320 + 5 * (i % 2), 240, 100))
    asked = {"stride": 1, "smooth_s": 1}
    assert all(np.array_equal(*fields) for fields in zip(scene.track(**asked), scene.track(**asked, landmarks=landmarks), strict=True))


def test_only_who_leads_costs_a_detection():
    scene = Scene(60, b=still(100, 100, 80), a=still(320, side=120))
    assert marked(scene.track(landmarks="detected", stride=1)) == list(range(60))
    assert scene.count("Detect") == 60


@pytest.mark.parametrize(("person", "x"), [("largest", 560), ("central", 320)])
def test_who_leads_is_said_by_the_choice_of_person(person, x):
    scene = Scene(40, b=still(560, 240, 120), a=still(320, 240, 80))
    track = scene.track(landmarks="detected", stride=1, person=person)
    assert middles(track)[:, 0] == pytest.approx(np.full(40, x))
    assert marked(track) == list(range(40))


def test_who_just_came_does_not_lead():
    """Found in every frame while they come, and not for longer than who was there."""
    scene = Scene(37, a=lambda i: (200 + 40 * np.sin(i * 0.6), 240, 80), b=between(1, 37, still(480, 240, 80)))
    assert middles(scene.track(person="longest")) == pytest.approx(truth(scene, "a"), abs=1e-3)
    scene = Scene(37, a=still(320), b=between(20, 37, still(470, 240, 160)))
    assert marked(scene.track(landmarks="detected")) == list(range(37))


def test_halved_intervals_leave_no_frame_without_a_detection():
    scene = Scene(80, a=lambda i: (200 + 3 * i, 240, 120), b=lambda i: (440 - 3 * i, 250, 90))
    for stride in (2, 4):
        scene.asked.clear()
        scene.track(landmarks="detected", stride=stride)
        asked = sorted(one.frame.index for one in scene.asked if one.kind == "Detect")
        assert max(np.diff(asked)) <= stride


def test_facenets_own_numbers_are_asked_for_once():
    scene = Scene(20, a=still(300))
    scene.track(stride=1, detect_height=None, landmarks="detected")
    assert {one.kind for one in scene.asked} == {"Search"}


def test_another_face_nearby_is_not_taken_for_the_followed_one():
    scene = Scene(40, a=still(300))
    scene.detect = lambda question: [Face(question.box + np.float32([60, 0, 60, 0]), np.zeros((5, 2), np.float32), np.float32(0.99))]
    track = scene.track(landmarks="detected", stride=1)
    assert np.allclose(middles(track), [300, 240])


def test_where_three_networks_find_no_face_the_followed_one_stays():
    hidden = dict.fromkeys(range(10, 20), ("a",))
    track = Scene(40, a=still(300), hidden=hidden).track(landmarks="detected", stride=1)
    assert track.detected.all()
    assert marked(track) == [index for index in range(40) if index not in hidden]


def test_nothing_is_smoothed_where_landmarks_are_detected():
    scene = Scene(60, a=lambda i: (320 + 5 * (i % 2), 240, 100))
    assert middles(scene.track(landmarks="detected", stride=1, smooth_s=1)) == pytest.approx(truth(scene, "a"))
    assert np.ptp(middles(scene.track(stride=1, smooth_s=1))[10:50, 0]) < 3
