"""Linking, choice of person, interpolation and smoothing, on detections made by hand: the detector is not involved."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemore.media.follow import CHOICES, Detections, Sight, add_found, areas, around, assign, choose_one, overlap, overlap_of, smooth
from blemore.media.tracks import FaceTrack, no_face

SIZE = (480, 640)


def faces(*centres_and_sides, probability=0.99):
    """Detections of square faces given as (x, y, side)."""
    rows = np.array(centres_and_sides, np.float32).reshape(-1, 3)
    boxes = np.stack([rows[:, 0] - rows[:, 2] / 2, rows[:, 1] - rows[:, 2] / 2, rows[:, 0] + rows[:, 2] / 2, rows[:, 1] + rows[:, 2] / 2], 1)
    landmarks = np.repeat(rows[:, np.newaxis, :2], 5, axis=1)
    return Detections(boxes, landmarks, np.full(len(rows), probability, np.float32))


def link(found, max_gap):
    people = []
    for frame, detections in found.items():
        rows = detections.faces()
        add_found(people, rows, assign(people, rows, frame, max_gap), frame)
    return people


def follow_one(found, n_frames, size, stride, max_gap, choice="prominent"):
    return choose_one(link(found, max_gap), len(found), Sight(n_frames, size, stride, max_gap, 1), choice)


def middle_x(track):
    return (track.boxes[:, 0] + track.boxes[:, 2]) / 2


def still_with_gap(missing, n_frames=40, stride=1, max_gap=15):
    """One still face that is not found in the frames `missing`."""
    searched = range(0, n_frames, stride)
    found = {frame: faces() if frame in missing else faces((320 + frame, 240, 100)) for frame in searched}
    return follow_one(found, n_frames, SIZE, stride, max_gap)


def test_crossing_people_keep_their_own_track():
    found = {frame: faces((100 + 10 * frame, 230, 80), (500 - 10 * frame, 250, 60)) for frame in range(40)}
    track = follow_one(found, 40, SIZE, 1, 15)
    assert middle_x(track) == pytest.approx(100 + 10 * np.arange(40))


def test_a_person_hidden_while_crossing_is_found_again():
    def at(frame):
        right, left = (100 + 10 * frame, 230, 80), (500 - 10 * frame, 230, 90)
        return faces(left) if 15 <= frame <= 25 else faces(right, left)

    people = link({frame: at(frame) for frame in range(40)}, max_gap=15)
    assert sorted(len(person.faces) for person in people) == [29, 40]


def test_a_bigger_passer_by_does_not_take_over():
    def at(frame):
        person = (320, 240, 80)
        return faces(person) if not 10 <= frame < 20 else faces((60 * (frame - 9), 240, 200), person)

    track = follow_one({frame: at(frame) for frame in range(90)}, 90, SIZE, 1, 15)
    assert middle_x(track) == pytest.approx(np.full(90, 320))


def test_a_passer_by_in_front_of_the_person_does_not_take_over():
    def at(frame):
        passing = (60 * (frame - 9), 240, 200)
        return faces((320, 240, 80)) if not 10 <= frame < 20 else faces(passing) if 13 <= frame < 17 else faces(passing, (320, 240, 80))

    track = follow_one({frame: at(frame) for frame in range(90)}, 90, SIZE, 1, 15)
    assert middle_x(track) == pytest.approx(np.full(90, 320))
    assert np.flatnonzero(~track.detected).tolist() == [13, 14, 15, 16]


def test_of_two_equal_people_the_central_one_is_followed():
    track = follow_one({frame: faces((60, 60, 80), (330, 250, 80)) for frame in range(10)}, 10, SIZE, 1, 15)
    assert middle_x(track) == pytest.approx(np.full(10, 330))


def test_the_order_of_detections_does_not_matter():
    found = {frame: [(100 + 5 * frame, 240, 80), (500, 240, 120), (300, 100, 60)] for frame in range(30)}
    forward = follow_one({frame: faces(*rows) for frame, rows in found.items()}, 30, SIZE, 1, 15)
    backward = follow_one({frame: faces(*rows[:: 1 if frame % 2 else -1]) for frame, rows in found.items()}, 30, SIZE, 1, 15)
    for one, other in zip(forward, backward):
        assert np.array_equal(one, other, equal_nan=True)


def test_a_gap_up_to_the_limit_is_interpolated_and_marked():
    track = still_with_gap(range(10, 25))
    assert middle_x(track) == pytest.approx(320 + np.arange(40))
    assert track.landmarks[:, 2, 0] == pytest.approx(320 + np.arange(40))
    assert np.flatnonzero(~track.detected).tolist() == list(range(10, 25))
    assert np.isnan(track.probability).tolist() == (~track.detected).tolist()


def test_a_longer_gap_stays_empty_and_the_person_is_followed_after_it():
    track = still_with_gap(range(10, 26))
    assert np.flatnonzero(np.isnan(track.boxes).any(1)).tolist() == list(range(10, 26))
    assert np.flatnonzero(~track.detected).tolist() == list(range(10, 26))
    assert middle_x(track)[26:] == pytest.approx(320 + np.arange(26, 40))


def test_nothing_is_invented_before_the_first_and_after_the_last_detection():
    track = still_with_gap({*range(5), *range(35, 40)})
    assert np.flatnonzero(np.isfinite(track.boxes[:, 0])).tolist() == list(range(5, 35))


def test_between_searched_frames_a_face_counts_as_detected():
    track = still_with_gap(set(), n_frames=37, stride=4)
    assert track.detected.all()
    assert middle_x(track) == pytest.approx(320 + np.arange(37))


def test_a_missed_frame_among_searched_ones_is_a_gap():
    track = still_with_gap({12}, n_frames=37, stride=4)
    assert np.flatnonzero(~track.detected).tolist() == list(range(9, 16))
    assert np.isfinite(track.boxes).all()
    assert np.isnan(still_with_gap({12}, n_frames=37, stride=4, max_gap=6).boxes[9:16]).all()


def test_a_face_seen_for_two_frames_is_none():
    found = {frame: faces((300, 200, 90), probability=0.94) if frame in (5, 6) else faces() for frame in range(30)}
    assert not follow_one(found, 30, SIZE, 1, 15).detected.any()


@pytest.mark.parametrize("n_frames", [1, 2])
def test_a_clip_of_a_frame_or_two_needs_no_more_than_it_has(n_frames):
    assert follow_one({frame: faces((300, 200, 90)) for frame in range(n_frames)}, n_frames, SIZE, 1, 15).detected.all()


@pytest.mark.parametrize("n_frames", [0, 5])
def test_no_face_gives_a_track_of_nan(n_frames):
    track = follow_one({frame: faces() for frame in range(n_frames)}, n_frames, SIZE, 1, 15)
    assert [field.shape for field in track] == [(n_frames, 4), (n_frames, 5, 2), (n_frames,), (n_frames,)]
    assert np.isnan(track.boxes).all()
    assert not track.detected.any()


corners = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 15), st.integers(1, 15))


@given(st.lists(corners, min_size=1, max_size=4), st.lists(corners, min_size=1, max_size=4))
def test_overlap_is_the_share_of_common_pixels(first, second):
    def pixels(x, y, width, height):
        return {(i, j) for i in range(x, x + width) for j in range(y, y + height)}

    a, b = (np.array([[x, y, x + w, y + h] for x, y, w, h in rows], float) for rows in (first, second))
    expected = [[len(pixels(*p) & pixels(*q)) / len(pixels(*p) | pixels(*q)) for q in second] for p in first]
    assert overlap(a, b) == pytest.approx(np.array(expected))
    assert [[overlap_of(p, q) for q in b] for p in a] == pytest.approx(np.array(expected))
    assert areas(a).tolist() == [len(pixels(*p)) for p in first]


def moving(middles):
    """A track of square faces of side 100 around the middles (t, 2); NaN where there is none."""
    middles = np.asarray(middles, np.float32)
    boxes = np.concatenate([middles - 50, middles + 50], 1)
    return FaceTrack(boxes, np.repeat(middles[:, np.newaxis], 5, 1), np.ones(len(boxes), np.float32), np.isfinite(boxes[:, 0]))


@pytest.mark.parametrize("width", [1, 5, 7, 15])
def test_smoothing_does_not_lag_behind_an_even_or_accelerating_motion(width):
    t = np.arange(30)
    track = moving(np.stack([100 + 4 * t, 200 + 0.1 * t**2], 1))
    for field, expected in zip(smooth(track, width)[:2], track[:2]):
        assert field == pytest.approx(expected, abs=1e-3)


def test_smoothing_reduces_trembling_about_as_much_as_its_weights_say():
    track = moving(200 + np.random.default_rng(3).normal(0, 1, (3000, 2)))
    left = np.var(smooth(track, 5).landmarks[2:-2]) / np.var(track.landmarks)
    weights = np.array([-3, 12, 17, 12, -3]) / 35  # Savitzky and Golay (1964), table I
    assert left == pytest.approx(np.sum(weights**2), rel=0.05)


def test_smoothing_stays_within_the_stretches_of_a_face():
    still = np.full((40, 2), 200.0)
    jumped = np.where(np.arange(40)[:, np.newaxis] < 20, 200.0, 420.0) * np.ones((1, 2))
    gone = still.copy()
    gone[10:13] = np.nan
    for middles in (still, jumped, gone):
        track = moving(middles)
        assert smooth(track, 9).boxes == pytest.approx(track.boxes, nan_ok=True)
        assert smooth(track, 9).landmarks == pytest.approx(track.landmarks, nan_ok=True)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5])
def test_smoothing_leaves_what_is_too_short_for_it(length):
    track = moving(np.random.default_rng(1).normal(200, 1, (length, 2))) if length else no_face(0)
    assert smooth(track, 5).boxes.shape == (length, 4)
    if length < 5:
        assert np.array_equal(smooth(track, 5).boxes, track.boxes)


@pytest.mark.parametrize(("choice", "x"), [("largest", 100), ("central", 330), ("longest", 560), ("prominent", 330)])
def test_the_choice_of_person_is_a_setting(choice, x):
    def at(frame):
        always = (560, 400, 60)
        return faces((100, 100, 150), (330, 250, 80), always) if frame < 20 else faces(always)

    track = follow_one({frame: at(frame) for frame in range(25)}, 25, SIZE, 1, 15, choice)
    assert middle_x(track)[0] == x
    assert choice in CHOICES


def test_the_square_around_a_box_has_its_centre_and_longer_side():
    assert around(np.array([[10, 20, 30, 80], [0, 0, 50, 10]], np.float32)).tolist() == [[-10, 20, 50, 80], [0, -20, 50, 30]]
