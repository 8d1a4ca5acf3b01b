import numpy as np
import pytest
import torch
import yaml
from facenet_pytorch import MTCNN

from blemore.media.cascade import load_mtcnn
from blemore.media.faces import TrackSettings, detect_faces, track_face, track_faces
from blemore.media.video import DecodeError, iter_video, read_video


def pixels(path, fps=30, count=None):
    return [frame.pixels for frame in iter_video(path, fps)][:count]


def test_defaults_are_those_of_the_configuration(repository):
    configured = yaml.safe_load((repository / "config.yaml").read_text())["media"]["track"]
    defaults = {name: list(value) if isinstance(value, tuple) else value for name, value in vars(TrackSettings()).items()}
    assert defaults == configured


@pytest.mark.parametrize(("name", "count", "height"), [
    *((f"talkers/{name}.mpg", 90, (130, 190)) for name in ("brbk7n", "lbax4n", "lbbc2a", "lrwp9a", "pwij3p", "swiz3n")),
    ("cases/rotated_270_mono.mp4", 90, (130, 190)),
    ("cases/single_face.mp4", 72, (150, 250)),
    ("cases/upper_body_no_audio.mkv", 63, (60, 100)),
])  # fmt: skip
def test_a_face_in_every_frame_of_the_recordings_with_one(media_folder, name, count, height):
    face = track_face(pixels(media_folder / name))
    assert face.detected.tolist() == [True] * count
    assert np.isfinite(face.landmarks).all()
    heights = face.boxes[:, 3] - face.boxes[:, 1]
    assert height[0] < heights.min() <= heights.max() < height[1]


def test_faces_in_the_first_72_frames_only(media_folder):
    face = track_face(pixels(media_folder / "cases" / "face_then_none_vfr_late_audio.mov"))
    assert face.detected.tolist() == [True] * 72 + [False] * 120
    assert np.isnan(face.boxes[72:]).all()


def test_no_face_in_the_cartoon(media_folder):
    face = track_face(pixels(media_folder / "cases" / "no_face_wrong_frame_count.mp4"))
    assert len(face.detected) == 119
    assert not face.detected.any()


@pytest.mark.parametrize(("landmarks", "side"), [("followed", np.min), ("detected", np.median)])
def test_one_person_is_followed_among_several(media_folder, landmarks, side):
    """The sides of detected boxes, which nothing smooths, flicker."""
    frames = (frame.pixels for frame in iter_video(media_folder / "cases" / "several_faces_1080p.mp4", 15))
    face = track_face(frames, TrackSettings(fps=15, landmarks=landmarks))
    assert face.detected.all()
    moves = np.linalg.norm(np.diff((face.boxes[:, :2] + face.boxes[:, 2:]) / 2, axis=0), axis=1)
    assert moves.max() < 0.5 * side(face.boxes[:, 2] - face.boxes[:, 0])


def test_without_the_rotation_tag_there_is_no_face(media_folder):
    sideways = [np.rot90(frame) for frame in pixels(media_folder / "cases" / "rotated_270_mono.mp4", fps=5)]
    assert not track_face(np.ascontiguousarray(sideways)).detected.any()


@pytest.mark.parametrize("name", ["talkers/pwij3p.mpg", "cases/single_face.mp4"])
def test_full_size_and_stride_one_are_exactly_facenets_numbers(media_folder, name):
    frames = pixels(media_folder / name, count=8)
    face = track_face(frames, TrackSettings(stride=1, detect_height=None))
    detector = MTCNN()
    for index, frame in enumerate(frames):
        boxes, probability, landmarks = detector.detect(frame, landmarks=True)
        assert np.array_equal(face.boxes[index], boxes[0])
        assert np.array_equal(face.landmarks[index], landmarks[0])
        assert face.probability[index] == probability[0]


def test_reduced_detection_finds_the_same_landmarks(media_folder):
    frames = pixels(media_folder / "cases" / "single_face.mp4", count=12)
    reduced, full = track_face(frames), track_face(frames, TrackSettings(detect_height=None))
    eyes = np.linalg.norm(full.landmarks[:, 0] - full.landmarks[:, 1], axis=1)
    assert (np.linalg.norm(reduced.landmarks - full.landmarks, axis=2).mean(1) / eyes).max() < 0.06


@pytest.mark.parametrize("name", ["talkers/lbbc2a.mpg", "talkers/swiz3n.mpg", "cases/single_face.mp4"])
def test_followed_landmarks_lie_close_to_those_of_facenet_in_every_frame(media_folder, name):
    frames = pixels(media_folder / name, count=30)
    plain = track_face(frames, TrackSettings(stride=1, detect_height=None))
    eyes = np.linalg.norm(plain.landmarks[:, 0] - plain.landmarks[:, 1], axis=1)
    for stride in (1, 2, 4):
        followed = track_face(frames, TrackSettings(stride=stride))
        assert followed.detected.all()
        assert (np.linalg.norm(followed.landmarks - plain.landmarks, axis=2).mean(1) / eyes).mean() < 0.04


@pytest.mark.parametrize(("name", "exact"), [("talkers/swiz3n.mpg", 1), ("cases/upper_body_no_audio.mkv", 0.7), ("cases/single_face.mp4", 0.3)])
def test_detected_landmarks_are_those_of_facenet_in_full_size(media_folder, name, exact):
    """Where another square of its pyramid wins there, O-Net's marks move by what one square differs from another."""
    frames = pixels(media_folder / name, count=24)
    plain, found = (track_face(frames, TrackSettings(stride=1, **one)) for one in ({"detect_height": None}, {"landmarks": "detected"}))
    eyes = np.linalg.norm(plain.landmarks[:, 0] - plain.landmarks[:, 1], axis=1)
    errors = np.linalg.norm(plain.landmarks - found.landmarks, axis=2).mean(1) / eyes
    assert np.mean(errors < 1e-3) >= exact
    assert errors.mean() < 0.025


@pytest.mark.parametrize("plain", [{}, {"landmarks": "detected"}, {"stride": 1, "detect_height": None}])
@pytest.mark.parametrize("changes", [{"thresholds": (1.0, 0.7, 0.7)}, {"thresholds": (0.6, 1.0, 0.7)}, {"thresholds": (0.6, 0.7, 1.0)}, {"min_face_px": 400}])
def test_a_network_that_believes_nothing_and_too_large_a_smallest_face_find_none(media_folder, changes, plain):
    frames = pixels(media_folder / "cases" / "single_face.mp4", count=2)
    assert track_face(frames, TrackSettings(**plain)).detected.all()
    assert not track_face(frames, TrackSettings(**plain, **changes)).detected.any()


def every_field_equal(one, other):
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("landmarks", ["followed", "detected"])
def test_neither_company_nor_order_nor_readers_change_a_bit(media_folder, landmarks):
    """Clips of different size and length, one without a face, share batches in all but the first way."""
    names = ["talkers/brbk7n.mpg", "cases/no_face_wrong_frame_count.mp4", "cases/single_face.mp4", "talkers/pwij3p.mpg"]
    clips = [pixels(media_folder / name, 15, 30 + 5 * index) for index, name in enumerate(names)]
    settings = TrackSettings(fps=15, landmarks=landmarks)
    alone = list(track_faces(clips, settings))
    for at_once, readers in ((2, 1), (4, 3), (9, 2)):
        assert all(every_field_equal(*pair) for pair in zip(alone, track_faces(clips, settings, "cpu", at_once, readers), strict=True))
    backwards = list(track_faces(clips[::-1], settings, "cpu", 4))
    assert all(every_field_equal(*pair) for pair in zip(alone, backwards[::-1], strict=True))


def test_one_unreadable_clip_harms_no_other(media_folder, tmp_path):
    good = media_folder / "talkers" / "brbk7n.mpg"
    (tmp_path / "bad.mp4").write_text("this is no video")
    clips = [(frame.pixels for frame in iter_video(path, 10)) for path in (good, tmp_path / "bad.mp4", good)]
    first, bad, last = track_faces(clips, TrackSettings(fps=10), "cpu", 3)
    assert isinstance(bad, DecodeError)
    assert first.detected.all()
    assert every_field_equal(first, last)
    with pytest.raises(DecodeError, match="cannot be opened"):
        track_face(frame.pixels for frame in iter_video(tmp_path / "bad.mp4", 10))


def test_a_cut_to_another_place_ends_the_track_in_its_frame(media_folder):
    one, other = (pixels(media_folder / "talkers" / name, count=count) for name, count in (("brbk7n.mpg", 41), ("swiz3n.mpg", 30)))
    moved = [np.roll(np.pad(frame, ((0, 0), (0, 360), (0, 0)), "edge"), 330, axis=1) for frame in other]
    frames = [np.pad(frame, ((0, 0), (0, 360), (0, 0)), "edge") for frame in one] + moved
    face = track_face(frames, TrackSettings(person="longest"))
    assert np.flatnonzero(face.detected).tolist() == list(range(41))


def test_an_array_and_a_stream_give_the_same(media_folder):
    path = media_folder / "talkers" / "swiz3n.mpg"
    whole, streamed = track_face(read_video(path, 5).frames), track_face(frame.pixels for frame in iter_video(path, 5))
    for one, other in zip(whole, streamed):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("size", [(1, 1), (8, 200), (19, 19), (20, 20), (64, 64)])
def test_frames_too_small_for_a_face_hold_none(size):
    noise = np.random.default_rng(1).integers(0, 256, (4, *size, 3), np.uint8)
    face = track_face(noise)
    assert face.boxes.shape == (4, 4)
    assert not face.detected.any()


@pytest.mark.parametrize("error", [IndexError("the shape of the mask"), RuntimeError("torch.cat(): expected a non-empty list of Tensors")])
def test_facenets_faults_with_degenerate_candidates_are_frames_without_a_face(monkeypatch, error):
    def broken(*_, **__):
        raise error

    detector = load_mtcnn(20, (0.6, 0.7, 0.7), "cpu")
    monkeypatch.setattr(detector, "detect", broken)
    assert len(detect_faces(detector, np.zeros((64, 64, 3), np.uint8)).boxes) == 0


def test_other_faults_of_the_detector_are_not_swallowed(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("CUDA out of memory")

    detector = load_mtcnn(20, (0.6, 0.7, 0.7), "cpu")
    monkeypatch.setattr(detector, "detect", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        detect_faces(detector, np.zeros((64, 64, 3), np.uint8))


def test_no_frames_give_an_empty_track():
    assert [len(field) for field in track_face(iter(()))] == [0, 0, 0, 0]


def test_detection_runs_on_one_thread_with_one_model():
    assert load_mtcnn(20, (0.6, 0.7, 0.7), "cpu") is load_mtcnn(20, (0.6, 0.7, 0.7), "cpu")
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize("stride", [1, 5])
def test_a_clip_without_a_frame_has_a_track_without_a_frame(stride):
    assert len(track_face(np.zeros((0, 64, 64, 3), np.uint8), TrackSettings(stride=stride)).detected) == 0
