"""The three networks in batches, against facenet-pytorch's own call for one image."""

import numpy as np
import pytest
from facenet_pytorch import MTCNN

from blemore.media.cascade import O_SIDE, Cascade, cut
from blemore.media.images import shrink
from blemore.media.video import iter_video


@pytest.fixture(scope="module")
def cascade():
    return Cascade(MTCNN(keep_all=True).eval())


@pytest.fixture(scope="module")
def frames(media_folder):
    """Of different sizes, with one face, several and none."""
    names = ["talkers/lrwp9a.mpg", "cases/single_face.mp4", "cases/several_faces_1080p.mp4", "cases/no_face_wrong_frame_count.mp4", "talkers/brbk7n.mpg"]
    pictures = [next(iter(iter_video(media_folder / name, 5))).pixels for name in names]
    return [shrink(picture, 360 / picture.shape[0]) for picture in pictures]


@pytest.mark.parametrize("index", range(5))
def test_a_search_in_full_size_finds_what_facenet_finds(cascade, frames, index):
    (found,) = cascade.search([(frames[index], None)])
    boxes, probability, landmarks = MTCNN(keep_all=True).detect(frames[index], landmarks=True)
    certain = [] if boxes is None else [row for row, value in enumerate(probability) if value > 0.99]
    for row in certain:
        eyes = np.linalg.norm(landmarks[row][0] - landmarks[row][1])
        errors = np.linalg.norm(found.landmarks - landmarks[row].astype(float), axis=2).mean(1) / eyes
        assert errors.min() < 0.12
        assert np.abs(found.boxes[errors.argmin()] - boxes[row].astype(float)).max() < 0.4 * eyes
    assert (found.probability > 0.99).sum() >= len(certain) - 1


def equal(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_frame_gives_the_same_bits_in_any_company(cascade, frames):
    searches = [(frame, height) for frame in frames for height in (240, None, 200)]
    alone = [cascade.search([search])[0] for search in searches]
    generator = np.random.default_rng(0)
    for _ in range(3):
        order = generator.permutation(len(searches))
        for position, found in zip(order, cascade.search([searches[position] for position in order])):
            assert equal(found, alone[position])


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_a_patch_gives_the_same_bits_at_any_place_of_any_batch(cascade, count):
    generator = np.random.default_rng(count)
    patches = generator.integers(0, 256, (count, O_SIDE, O_SIDE, 3), np.uint8)
    squares = generator.uniform(0, 500, (count, 4)).astype(np.float32)
    alone = [cascade.look(patches[i : i + 1], squares[i : i + 1]) for i in range(count)]
    order = generator.permutation(count)
    together = cascade.look(patches[order], squares[order])
    for place, i in enumerate(order):
        assert equal([field[place] for field in together], [field[0] for field in alone[i]])


def test_looking_at_the_square_of_a_found_face_finds_it_again(cascade, frames):
    (found,) = cascade.search([(frames[1], None)])
    (box,) = found.boxes
    centre, half = (box[:2] + box[2:]) / 2, (box[3] - box[1]) / 2
    square = np.concatenate([centre - half, centre + half])[np.newaxis]
    seen = cascade.look(cut(frames[1], square, O_SIDE), square)
    eyes = np.linalg.norm(found.landmarks[0, 0] - found.landmarks[0, 1])
    assert seen.probability[0] > 0.95
    assert np.linalg.norm(seen.landmarks[0] - found.landmarks[0], axis=1).mean() < 0.06 * eyes


def test_the_height_of_a_search_bounds_the_faces_that_are_found_and_not_their_place(cascade, frames):
    (full,), (reduced,) = (cascade.search([(frames[0], height)]) for height in (None, 120))
    eyes = np.linalg.norm(full.landmarks[0, 0] - full.landmarks[0, 1])
    assert np.linalg.norm(full.landmarks[0] - reduced.landmarks[0], axis=1).mean() < 0.06 * eyes
    assert len(cascade.search([(frames[0], 19)])[0].boxes) == 0


@pytest.mark.parametrize("size", [(1, 1), (8, 200), (19, 19), (20, 20), (64, 64)])
def test_frames_too_small_or_without_a_face_give_none(cascade, size):
    noise = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    (found,) = cascade.search([(noise, None)])
    assert [field.shape for field in found] == [(0, 4), (0, 5, 2), (0,)]


def test_squares_beyond_the_frame_are_squeezed_and_those_outside_are_black():
    frame = np.full((50, 50, 3), 200, np.uint8)
    inside, half, outside = cut(frame, np.array([[5, 5, 25, 25], [-20, 10, 20, 50], [60, 60, 90, 90]], np.float32), 8)
    assert inside.min() == 200
    assert half.min() == 200
    assert outside.max() == 0
