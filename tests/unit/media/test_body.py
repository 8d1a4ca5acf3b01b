import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemore.media.body import person_crop, within


def faces(*centres, side=100.0):
    """Square boxes around centres; None is a frame without a face."""
    return np.array(
        [[np.nan] * 4 if one is None else [one[0] - side / 2, one[1] - side / 2, one[0] + side / 2, one[1] + side / 2] for one in centres], np.float32
    )


def test_the_person_is_in_the_middle_with_room_above():
    assert person_crop(faces((960, 400), None, (960, 400)), (1080, 1920), 6) == (660, 250, 1260, 850)


@pytest.mark.parametrize(("centre", "expected"), [((150, 130), (0, 0, 600, 600)), ((1900, 900), (1320, 480, 1920, 1080))])
def test_the_crop_stays_within_the_frame(centre, expected):
    assert person_crop(faces(centre), (1080, 1920), 6) == expected


@pytest.mark.parametrize(("size", "expected"), [((1080, 1920), (420, 0, 1500, 1080)), ((1920, 1080), (0, 130, 1080, 1210))])
def test_a_near_face_takes_the_shorter_side(size, expected):
    assert person_crop(faces((960 if size[1] > 1080 else 540, 400), side=300), size, 6) == expected


def test_small_motion_moves_no_crop_and_one_frame_does_not_decide():
    moving = faces(*((900 + 10 * np.sin(k), 500) for k in range(40)), (1000, 480))
    assert person_crop(moving, (1080, 1920), 6)[2:] == pytest.approx((1200, 950), abs=5)


def test_who_walks_through_the_picture_gets_a_crop_as_wide():
    left, top, right, bottom = person_crop(faces(*((x, 400) for x in range(200, 1700, 50))), (1080, 1920), 6)
    assert (left, right, bottom - top) == (150, 1700, 600)


@pytest.mark.parametrize("boxes", [faces(), faces(None, None)])
def test_without_a_face_the_whole_frame_is_kept(boxes):
    assert person_crop(boxes.reshape(-1, 4), (480, 640), 6) == (0, 0, 640, 480)


places = st.tuples(st.floats(-50, 900), st.floats(-50, 700))


@given(st.lists(places, min_size=1, max_size=8), st.floats(2, 400), st.tuples(st.integers(1, 600), st.integers(1, 800)), st.floats(1, 20))
def test_any_crop_lies_in_the_frame_and_holds_all_of_the_path_that_does(centres, side, size, face_heights):
    boxes = faces(*centres, side=side)
    left, top, right, bottom = person_crop(boxes, size, face_heights)
    assert 0 <= left < right <= size[1]
    assert 0 <= top < bottom <= size[0]
    seen = np.clip(boxes, 0, np.tile(size[::-1], 2))
    assert np.array([left, top]) == pytest.approx(np.minimum(seen[:, :2].min(0), [left, top]), abs=1)
    assert np.array([right, bottom]) == pytest.approx(np.maximum(seen[:, 2:].max(0), [right, bottom]), abs=1)


def test_boxes_are_told_in_pixels_of_the_crop():
    assert within(np.array([[100, 50, 140, 90]], np.float32), (60, 10, 500, 450), 0.5).tolist() == [[20, 20, 40, 40]]
