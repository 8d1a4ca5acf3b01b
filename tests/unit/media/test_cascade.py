"""The three networks in batches, against facenet-pytorch's own call for one image."""

import numpy as np
import pytest
import torch
from facenet_pytorch import MTCNN

from blemore.media.cascade import O_SIDE, R_SIDE, Cascade, area_means, cut, cut_exactly, edges_of
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


@pytest.mark.parametrize("side", [R_SIDE, O_SIDE])
@pytest.mark.parametrize("square", [(11, 9, 83, 81), (30, 20, 49, 39), (-9, 40, 31, 130), (60, 70, 160, 170), (1, 1, 119, 99)])
def test_exact_patches_are_pytorchs_averages(side, square):
    frame = np.random.default_rng(3).integers(0, 256, (100, 120, 3), np.uint8)
    left, top, right, bottom = square
    piece = torch.from_numpy(frame[max(top, 1) - 1 : min(bottom, 100), max(left, 1) - 1 : min(right, 120)].copy()).permute(2, 0, 1)[np.newaxis].float()
    peer = torch.nn.functional.interpolate(piece, (side, side), mode="area")[0].permute(1, 2, 0).numpy()
    assert cut_exactly(frame, np.float32([square]), side)[0] == pytest.approx(peer, abs=1e-4)


@pytest.mark.parametrize("cutter", [cut, cut_exactly])
@pytest.mark.parametrize("square", [(60, 60, 90, 90), (-60, -60, -10, -10), (10, -60, 40, -10), (-60, 10, -10, 40)])
def test_patches_outside_the_frame_are_black(cutter, square):
    assert cutter(np.full((50, 50, 3), 200, np.uint8), np.float32([square]), 8).max() == 0


@pytest.mark.parametrize(("span", "size", "count"), [((0, 40), 97, 40), ((6, 31), 97, 40), ((2, 14), 300, 19), ((0, 5), 5, 5)])
def test_a_part_of_a_reduced_frame_is_that_part_of_the_whole(span, size, count):
    frame = np.random.default_rng(4).integers(0, 256, (size, size, 3), np.uint8)
    start, stop = span
    whole = torch.nn.functional.interpolate(torch.from_numpy(frame).permute(2, 0, 1)[np.newaxis].float(), (count, count), mode="area")
    edges = edges_of(size, count, start, stop)
    assert area_means(frame, edges, edges) == pytest.approx(whole[0].permute(1, 2, 0).numpy()[start:stop, start:stop], abs=1e-4)


@pytest.mark.parametrize("index", [0, 1])
def test_around_its_box_the_face_that_facenet_finds_in_full_size_is_found(cascade, frames, index):
    boxes, probability, landmarks = MTCNN(keep_all=True).detect(frames[index], landmarks=True)
    (found,) = cascade.detect_around([(frames[index], boxes[0].astype(np.float32) + np.float32([3, -2, 1, 2]))])
    eyes = np.linalg.norm(landmarks[0][0] - landmarks[0][1])
    assert np.linalg.norm(found.landmarks - landmarks[0].astype(float), axis=2).mean(1).min() < 0.03 * eyes
    assert found.probability.max() == pytest.approx(probability[0], abs=0.01)


def test_detections_around_boxes_are_the_same_bits_in_any_company(cascade, frames):
    places = [(frame, np.float32([x, 60, x + side, 60 + 1.2 * side])) for frame in frames for x, side in ((20, 40), (90, 110), (-30, 90), (400, 400))]
    alone = [cascade.detect_around([place])[0] for place in places]
    order = np.random.default_rng(5).permutation(len(places))
    for position, found in zip(order, cascade.detect_around([places[position] for position in order])):
        assert equal(found, alone[position])


@pytest.mark.parametrize("box", [(-300, -300, -200, -200), (5000, 10, 5100, 100), (10, 10, 11, 11), (10, 10, 10, 10), (0, 0, 4000, 4000)])
def test_around_a_box_without_a_face_there_is_none(cascade, frames, box):
    (found,) = cascade.detect_around([(frames[3], np.float32(box))])
    assert [field.shape for field in found] == [(0, 4), (0, 5, 2), (0,)]
