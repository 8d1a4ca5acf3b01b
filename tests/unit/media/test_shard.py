import errno
import hashlib
from pathlib import Path
from unittest.mock import Mock

import cv2
import h5py
import numpy as np
import pytest

from blemore.job import BadInput
from blemore.media.audio import NoAudio
from blemore.media.frames import encode_jpeg, read_frames
from blemore.media.images import shrink
from blemore.media.shard import finish_folder, finish_store, new_folder, new_store, pair_videos, process_clips, read_clip, write_clip
from blemore.media.tracks import FaceTrack, boxes_at, no_face, read_fps, read_track
from blemore.media.video import DecodeError
from blemore.stores import DECODE_ERROR, MISSING, NO_AUDIO, NO_FACE, OK, PARTIAL, read_manifest

CLIPS = {"a": OK, "b": DECODE_ERROR, "c": PARTIAL}


def smooth_frames(count):
    noise = np.random.default_rng(4).integers(0, 256, (count, 6, 8, 3), np.uint8)
    return [cv2.resize(frame, (64, 48), interpolation=cv2.INTER_CUBIC) for frame in noise]


def write_store(path, quality=95, statuses=CLIPS):
    with new_store(path) as store:
        for clip, count in (("a", 12), ("c", 3)):
            jpeg = [encode_jpeg(frame, quality) for frame in smooth_frames(count)]
            write_clip(store, clip, jpeg=jpeg, timestamps_s=np.arange(count) / 10)
        finish_store(store, statuses, {"settings": {"quality": quality}}, size=64)
    return path


def test_videos_are_paired_with_the_clips_that_have_one():
    paired = pair_videos({"a": 10, "b": None, "c": 30}, ["in/a.mov", "elsewhere/c.mp4"])
    assert paired == {"a": Path("in/a.mov"), "b": None, "c": Path("elsewhere/c.mp4")}
    assert list(paired) == ["a", "b", "c"]


def test_too_few_videos_for_the_clips_are_a_fault():
    with pytest.raises(ValueError, match="shorter"):
        pair_videos({"a": 10, "b": 20}, ["a.mov"])


@pytest.fixture
def videos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("r.mov", "m.mov", "g.mov"):
        Path(name).touch()
    return {"rotten": Path("r.mov"), "mute": Path("m.mov"), "absent": None, "good": Path("g.mov")}


def test_one_bad_clip_harms_no_other_and_is_one_sentence_in_the_log(videos, capfd):
    def work(clip, video):
        if clip == "rotten":
            raise DecodeError("its video stream holds no picture that can be decoded")
        if clip == "mute":
            raise NoAudio("it has no audio track")
        return OK, 90

    assert process_clips(videos, work) == {"rotten": DECODE_ERROR, "mute": NO_AUDIO, "absent": MISSING, "good": OK}
    assert capfd.readouterr().out.splitlines() == [
        "rotten: decode_error, r.mov: its video stream holds no picture that can be decoded.",
        "mute: no_audio, m.mov: it has no audio track.",
        "absent: missing, no video was found.",
    ]


def test_a_status_that_comes_from_the_track_is_said(videos, capfd):
    assert process_clips({"a": videos["good"]}, lambda clip, video: (DECODE_ERROR, 0)) == {"a": DECODE_ERROR}
    assert capfd.readouterr().out == "a: decode_error, as its face track says.\n"


def test_a_fault_of_the_code_is_no_status(videos):
    with pytest.raises(ZeroDivisionError):
        process_clips({"a": videos["good"]}, lambda clip, video: 1 // 0)


def test_a_video_that_vanishes_while_a_run_works_is_no_status(videos):
    """A disk that was unmounted would else make `decode_error` of all that is on it, for good."""

    def work(clip, video):
        raise DecodeError("it is no file that can be read")

    videos["good"].unlink()
    with pytest.raises(BadInput, match=r"^g\.mov was there when the run began and is gone; put it back, or run again without it\.$"):
        process_clips({"good": videos["good"]}, work)


def test_links_that_lead_nowhere_or_in_a_circle_are_statuses(videos):
    Path("nowhere.mov").symlink_to("absent.mov")
    Path("circle.mov").symlink_to("circle.mov")
    found = process_clips({"a": Path("nowhere.mov"), "b": Path("circle.mov")}, lambda clip, video: (DECODE_ERROR, 0))
    assert set(found.values()) == {DECODE_ERROR}


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_is_no_status(videos, monkeypatch, number):
    monkeypatch.setattr(Path, "stat", Mock(side_effect=OSError(number, "it fails")))
    with pytest.raises(OSError, match="it fails"):
        process_clips({"a": videos["good"]}, lambda clip, video: (PARTIAL, 1))


def test_frames_come_back_as_they_were_up_to_jpeg(tmp_path):
    frames = read_frames(write_store(tmp_path / "A1.h5"), "a", [3, 0, 11])
    for frame, original in zip(frames, np.array(smooth_frames(12))[[3, 0, 11]], strict=True):
        assert np.abs(frame.astype(int) - original).mean() < 3


def test_only_the_asked_frames_are_decoded(tmp_path, monkeypatch):
    path = write_store(tmp_path / "A1.h5")
    decoded, decode = [], cv2.imdecode
    monkeypatch.setattr(cv2, "imdecode", lambda *arguments: decoded.append(1) or decode(*arguments))
    read_frames(path, "a", range(2, 7))
    assert len(decoded) == 5


@pytest.mark.parametrize("index", [12, -1])
def test_a_frame_that_is_not_there_is_refused(tmp_path, index):
    with pytest.raises(IndexError, match=r"A1\.h5: clip a has 12 frames, asked for \["):
        read_frames(write_store(tmp_path / "A1.h5"), "a", [index])


def test_a_clip_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"A1\.h5 does not hold the clip z as its manifest says; delete both and run again\.$"):
        read_frames(write_store(tmp_path / "A1.h5"), "z", [0])


def test_a_store_that_is_no_hdf5_is_refused(tmp_path):
    write_store(tmp_path / "A1.h5").write_bytes(b"damage")
    with pytest.raises(BadInput, match=r"A1\.h5 is damaged \(.*\); delete it and its manifest and run again\.$"):
        read_clip(tmp_path / "A1.h5", "a", [])


def test_every_clip_has_a_group_with_its_status(tmp_path):
    path = write_store(tmp_path / "A1.h5")
    with h5py.File(path) as store:
        assert {clip: group.attrs["status"] for clip, group in store.items()} == {"a": "ok", "b": "decode_error", "c": "partial"}
    assert read_clip(path, "b", ["timestamps_s"]) == (DECODE_ERROR, {})


def test_the_manifest_names_clips_and_statuses(tmp_path):
    manifest = read_manifest(write_store(tmp_path / "A1.h5"))
    assert manifest["clips"] == ["a", "b", "c"]
    assert manifest["status"] == {"a": "ok", "b": "decode_error", "c": "partial"}
    assert manifest["status_counts"] == {"ok": 1, "decode_error": 1, "partial": 1}
    assert manifest["size"] == 64


def test_equal_content_gives_equal_bytes(tmp_path):
    digests = {hashlib.sha256(write_store(tmp_path / name).read_bytes()).hexdigest() for name in ("one.h5", "two.h5", "one.h5")}
    assert len(digests) == 1
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_the_digest_follows_frames_and_statuses(tmp_path):
    first = read_manifest(write_store(tmp_path / "first.h5"))
    quality = read_manifest(write_store(tmp_path / "quality.h5", quality=90))
    status = read_manifest(write_store(tmp_path / "status.h5", statuses={**CLIPS, "b": MISSING}))
    assert len({manifest["content_sha256"] for manifest in (first, quality, status)}) == 3


def test_an_unfinished_store_has_no_manifest(tmp_path):
    path = write_store(tmp_path / "A1.h5")
    with pytest.raises(RuntimeError, match="stopped"), new_store(path):
        raise RuntimeError("stopped")
    assert not (tmp_path / "A1.json").exists()


def test_a_folder_of_files_has_a_manifest_beside_it(tmp_path):
    digests = []
    for content in (b"one", b"one", b"two"):
        folder = new_folder(tmp_path / "audio" / "A1")
        (folder / "a.flac").write_bytes(content)
        finish_folder(folder, ".flac", {"a": OK, "b": NO_AUDIO}, {"settings": {}}, gain={"a": 1.0})
        manifest = read_manifest(folder)
        digests.append(manifest["content_sha256"])
    assert (digests[0] == digests[1], digests[0] == digests[2]) == (True, False)
    assert (manifest["status"], manifest["gain"]) == ({"a": "ok", "b": "no_audio"}, {"a": 1.0})
    assert sorted(path.name for path in folder.iterdir()) == ["a.flac", "provenance.json"]


def test_a_track_comes_back_as_it_was_written(tmp_path):
    face = FaceTrack(*(np.arange(size, dtype=np.float32).reshape(shape) for size, shape in ((12, (3, 4)), (30, (3, 5, 2)), (3, 3))), np.array([1, 0, 1], bool))
    path = tmp_path / "A1.h5"
    with new_store(path) as store:
        store.attrs["fps"] = 30
        write_clip(store, "a", **face._asdict())
        write_clip(store, "b", **no_face(2)._asdict())
        finish_store(store, {"a": OK, "b": NO_FACE, "c": MISSING}, {})
    status, read = read_track(path, "a")
    assert (status, read_fps(path)) == (OK, 30)
    for one, other in zip(face, read):
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype
    assert np.isnan(read_track(path, "b")[1].boxes).all()
    assert len(read_track(path, "c")[1].boxes) == 0


def test_boxes_are_taken_from_the_nearest_frame_of_the_track():
    face = no_face(4)
    face.boxes[:] = np.arange(4)[:, np.newaxis]
    assert boxes_at(face, np.array([0.0, 0.1, 0.14, 0.16, 0.9]), 10)[:, 0].tolist() == [0, 1, 1, 2, 3]
    assert np.isnan(boxes_at(no_face(0), np.array([0.0, 0.1]), 10)).all()


@pytest.mark.parametrize(("size", "short_side", "expected"), [((288, 360), 144, (144, 180)), ((1080, 607), 256, (455, 256)), ((100, 90), 256, (100, 90))])
def test_frames_are_reduced_in_proportion_and_never_enlarged(size, short_side, expected):
    frame = np.full((*size, 3), 77, np.uint8)
    assert shrink(frame, short_side / min(size)).shape[:2] == expected
    assert (shrink(frame, short_side / min(size)) == 77).all()
