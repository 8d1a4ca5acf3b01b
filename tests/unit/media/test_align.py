import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemore.media.align import TEMPLATE_112, crop_face, similarity, template

shifts = st.floats(-500, 500)


def transform(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


@given(angle=st.floats(-np.pi, np.pi), scale=st.floats(0.05, 20), x=shifts, y=shifts)
def test_any_similarity_is_recovered(angle, scale, x, y):
    known = np.array([[scale * np.cos(angle), -scale * np.sin(angle), x], [scale * np.sin(angle), scale * np.cos(angle), y]])
    assert similarity(TEMPLATE_112, transform(known, TEMPLATE_112)) == pytest.approx(known, abs=1e-6)


@given(st.lists(st.tuples(shifts, shifts), min_size=5, max_size=5))
def test_no_other_similarity_is_closer(moved):
    target = np.array(moved)
    # The same least squares as a linear system in (cos, sin, x, y), solved by LAPACK.
    x, y = TEMPLATE_112.T
    one, zero = np.ones(5), np.zeros(5)
    system = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    cosine, sine, dx, dy = np.linalg.lstsq(system, np.concatenate(target.T), rcond=None)[0]
    assert similarity(TEMPLATE_112, target) == pytest.approx(np.array([[cosine, -sine, dx], [sine, cosine, dy]]), abs=1e-6)


def test_one_point_alone_defines_no_similarity():
    with pytest.raises(ValueError, match=r"^all points are one: no similarity is defined$"):
        similarity(np.ones((5, 2)), TEMPLATE_112)


def test_the_template_leaves_the_margin_around_the_face():
    assert template(112, 0) == pytest.approx(TEMPLATE_112)
    assert template(160, 0.2) == pytest.approx(16 + TEMPLATE_112 * 128 / 112)


@pytest.mark.parametrize("scale", [0.7, 1.0, 2.5, 6.0])
@pytest.mark.parametrize("degrees", [0, 25, -60])
def test_marks_at_the_landmarks_come_to_the_template(scale, degrees):
    goal = template(160, 0.2)
    turn = cv2.getRotationMatrix2D((80, 80), degrees, scale) + np.array([[0, 0, 420], [0, 0, 420]])
    landmarks = transform(turn, goal)
    frame = np.zeros((1000, 1000, 3), np.uint8)
    for x, y in landmarks:
        cv2.circle(frame, (round(x), round(y)), round(4 * scale), (255, 255, 255), -1)
    crop = crop_face(frame, landmarks.astype(np.float32), 160, 0.2)
    assert crop.shape == (160, 160, 3)
    _, _, _, centres = cv2.connectedComponentsWithStats((crop[..., 0] > 127).astype(np.uint8))
    for mark in goal:
        assert np.linalg.norm(centres[1:] - mark, axis=1).min() < 1


def test_a_strong_reduction_averages_instead_of_picking_pixels():
    checkerboard = np.repeat((np.indices((1000, 1000)).sum(0) % 2 * 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)
    crop = crop_face(checkerboard, 100 + TEMPLATE_112 * 7, 160, 0.2)
    assert crop[40:120, 40:120].std() < 6


def test_beyond_the_frame_the_crop_is_black():
    crop = crop_face(np.full((100, 100, 3), 200, np.uint8), TEMPLATE_112 - 56, 112, 0)
    assert crop[:50, :50].max() == 0
    assert crop[60:, 60:].min() == 200
