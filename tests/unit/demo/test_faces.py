import cv2
import numpy as np
import pytest
from design import ACTOR, HEARD, LARGEST_PARAMETER, PARAMETERS, SEEN, generator
from faces import BROWS, CHIN_Y, HAND_APART, HAND_UP, MOUTH, draw_face, embed, render

SIZES = [(256, 256), (192, 160)]
REST = np.zeros(len(PARAMETERS))
ALONE = np.eye(len(PARAMETERS))
EXTREMES = [sign * LARGEST_PARAMETER * ALONE[i] for i in range(len(SEEN)) for sign in (-1, 1)]
EXTREMES += [
    LARGEST_PARAMETER * np.array([*face, *body, 0, 0, 0])
    for face, body in zip(((1, 1, 1), (-1, 1, -1), (1, -1, -1), (-1, -1, 1)), ((1, 1, -1), (-1, 1, -1), (1, -1, -1), (-1, -1, 1)))
]


def still(actor, values, size=SIZES[0]):
    """One frame of an actor with the given parameters; the head is where it is in every other call."""
    rng = generator(1, ACTOR, actor, 1)
    return next(render(draw_face(rng, *size), np.array([values], dtype=float), generator(1, 99)))


@pytest.fixture(scope="module")
def detector():
    import torch
    from facenet_pytorch import MTCNN

    torch.set_num_threads(1)
    return lambda frames: MTCNN(min_face_size=round(0.083 * frames.shape[1])).detect(frames)[0]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("actor", [0, 1, 4, 7, 9])
def test_mtcnn_finds_the_face_at_the_parameters_limits(detector, actor, size):
    frames = [still(actor, values, size) for values in EXTREMES]
    height = min(240, size[1])
    small = np.stack([cv2.resize(frame, (round(size[0] * height / size[1]), height), interpolation=cv2.INTER_AREA) for frame in frames])
    boxes = detector(small)
    assert all(found is not None and len(found) == 1 for found in boxes)
    assert all(0.3 < (found[0][3] - found[0][1]) / height < 0.8 for found in boxes)


@pytest.mark.parametrize(("name", "places"), [("mouth_curve", [MOUTH]), ("mouth_open", [MOUTH]), ("brow_height", BROWS)])
def test_a_parameter_moves_its_part_of_the_face_and_nothing_far_from_it(name, places):
    face = draw_face(generator(1, ACTOR, 2, 1), 256, 256)
    number = ("mouth_curve", "mouth_open", "brow_height").index(name)
    distance = np.min([np.hypot(*np.moveaxis(face.place - place, -1, 0)) for place in places], axis=0)
    assert np.abs(face.shifts[number][distance < 20]).max() > 2
    assert np.abs(face.shifts[number][distance > 90]).max() < 0.1
    assert not np.array_equal(still(2, REST), still(2, ALONE[PARAMETERS.index(name)]))


def test_shoulders_move_below_the_chin_and_leave_the_face_alone():
    face = draw_face(generator(1, ACTOR, 2, 1), 256, 256)
    assert face.shifts[3][face.place[..., 1] > CHIN_Y + 20].min() > 5
    assert face.shifts[3][face.place[..., 1] < MOUTH[1]].max() < 0.1


@pytest.mark.parametrize(("name", "right", "below"), [("hand_height", 0, -HAND_UP), ("hands_apart", HAND_APART, 0)])
def test_hands_go_where_their_parameters_say_and_alike_on_both_sides(name, right, below):
    frames = np.stack([still(2, REST), still(2, ALONE[PARAMETERS.index(name)])]).astype(int)
    skin = np.abs(frames - draw_face(generator(1, ACTOR, 2, 1), 256, 256).colours[0]).sum(3) < 30
    for side, half in ((-1, slice(0, 60)), (1, slice(196, 256))):
        before, after = (np.argwhere(seen[100:, half]).mean(0) for seen in skin)
        assert after - before == pytest.approx([256 * below, side * 256 * right], abs=2)


@pytest.mark.parametrize("name", HEARD)
def test_what_is_heard_is_not_seen(name):
    assert np.array_equal(still(3, REST), still(3, ALONE[PARAMETERS.index(name)]))


def test_actors_differ_and_one_actor_is_always_the_same():
    assert np.array_equal(still(0, REST), still(0, REST))
    assert np.abs(still(0, REST).astype(int) - still(1, REST)).mean() > 10


def test_the_provided_feature_is_linear_in_what_the_pixels_changed():
    frames = [still(0, values) for values in EXTREMES[:3]]
    features = embed(frames)
    assert (features.shape, features.dtype) == ((3, 1024), np.float32)
    assert not features[0].any()
    assert embed(frames[::-1])[0] == pytest.approx(np.zeros(1024))
    assert embed([frames[0], frames[2]])[1] == pytest.approx(features[2])
    assert embed([frames[2], frames[0]])[1] == pytest.approx(-features[2])
