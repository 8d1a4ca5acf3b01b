"""Each script of the media stage on a shard of four clips: good, without sound, broken, missing."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile
from rules.media_stage import CFG, STORES, run_script
from unit.media.recordings import run_ffmpeg

from blemore.job import BadInput
from blemore.media import shard as shard_module
from blemore.media.body import person_crop
from blemore.media.frames import read_frames
from blemore.media.images import shrink
from blemore.media.tracks import read_fps, read_track
from blemore.media.video import iter_video
from blemore.stores import STATUSES, read_manifest


@pytest.fixture(scope="module")
def shard(tmp_path_factory, media_folder) -> Path:
    folder = tmp_path_factory.mktemp("shard")
    shutil.copy(media_folder / "talkers" / "brbk7n.mpg", folder / "good.mpg")
    shutil.copy(media_folder / "cases" / "upper_body_no_audio.mkv", folder / "mute.mkv")
    (folder / "broken.mp4").write_text("this is no video")
    return folder


def clips_of(shard: Path) -> dict[str, Path | None]:
    return {"absent": None, "broken": shard / "broken.mp4", "good": shard / "good.mpg", "mute": shard / "mute.mkv"}


@pytest.fixture(scope="module")
def results(shard, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for name in STORES:
        run_script(name, clips_of(shard), folder)
    return folder


@pytest.mark.parametrize("name", STORES)
def test_every_clip_has_its_status_and_the_bad_ones_harm_no_other(results, name):
    expected = {"absent": "missing", "broken": "decode_error", "good": "ok", "mute": "no_audio" if name == "extract_audio" else "ok"}
    manifest = read_manifest(results / STORES[name])
    assert manifest["status"] == expected
    assert manifest["clips"] == list(expected)


@pytest.mark.parametrize("name", STORES)
def test_a_second_run_gives_the_same_bytes(results, shard, tmp_path, name):
    if name in ("crop_faces", "sample_body_frames"):
        shutil.copytree(results / "track", tmp_path / "track")
    run_script(name, clips_of(shard), tmp_path)
    first, second = results / STORES[name], tmp_path / STORES[name]
    files = sorted(first.iterdir()) if first.is_dir() else [first]
    for file in [*files, first.with_suffix(".json")]:
        again = second / file.name if file.parent == first else second.parent / file.name
        assert file.read_bytes() == again.read_bytes(), file.name


def test_the_attributes_say_what_determined_the_numbers(results):
    with h5py.File(results / STORES["crop_faces"]) as store:
        provenance = json.loads(store.attrs["provenance"])
    assert provenance["settings"] == CFG["crop_faces"]
    assert provenance["inputs"] == {"track": read_manifest(results / STORES["track_faces"])["content_sha256"]}
    folder = json.loads((results / "audio" / "A1" / "provenance.json").read_text())
    assert folder["settings"] == CFG["extract_audio"]


def test_the_track_covers_every_frame_at_its_rate(results):
    status, face = read_track(results / STORES["track_faces"], "good")
    assert (STATUSES[status], len(face.detected), face.detected.all()) == ("ok", 30, True)
    assert read_fps(results / STORES["track_faces"]) == 10


def test_face_crops_show_the_face_of_each_frame(results):
    crops = read_frames(results / STORES["crop_faces"], "good", [0, 29])
    assert crops.shape == (2, 160, 160, 3)
    with h5py.File(results / STORES["crop_faces"]) as store:
        assert store["good/timestamps_s"][...] == pytest.approx(np.arange(30) / 10)
        assert store["good/detected"][...].all()


def test_body_frames_hold_the_persons_box_in_their_own_pixels(results, shard):
    body, track = results / STORES["sample_body_frames"], results / STORES["track_faces"]
    face = read_track(track, "good")[1].boxes
    left, top, right, bottom = person_crop(face, (288, 360), 6)
    assert (top, bottom, right - left) == (0, 288, 288)  # the face is so near that the shorter side is taken
    assert read_frames(body, "good", [14]).shape == (1, 128, 128, 3)
    with h5py.File(body) as store:
        boxes = store["good/boxes"][...]
    assert boxes == pytest.approx((face[::2] - [left, 0, left, 0]) * 128 / 288, rel=1e-6)
    (kept,) = read_frames(body, "good", [0])
    whole = next(iter(iter_video(shard / "good.mpg", 5))).pixels
    assert np.abs(shrink(whole[:, left:right], 128 / 288).astype(int) - kept).mean() < 3


def test_body_frames_may_show_the_whole_picture(results, shard, tmp_path):
    shutil.copytree(results / "track", tmp_path / "track")
    run_script("sample_body_frames", clips_of(shard), tmp_path, crop="full")
    assert read_frames(tmp_path / STORES["sample_body_frames"], "good", [14]).shape == (1, 128, 160, 3)


def test_audio_is_flac_of_the_videos_length(results):
    manifest = read_manifest(results / "audio" / "A1")
    information = soundfile.info(results / "audio" / "A1" / "good.flac")
    assert (information.samplerate, information.channels, information.subtype, information.frames) == (16000, 1, "PCM_24", 48000)
    assert manifest["duration_s"] == {"good": 3.0}
    assert set(manifest["gain"]) == {"good"}


def test_clips_are_the_first_seconds_in_even_size(results):
    frames = [frame.pixels for frame in iter_video(results / "clips" / "A1" / "good.mp4", 10)]
    assert len(frames) == 5
    assert frames[0].shape == (100, 124, 3)


def test_a_store_that_lacks_the_clip_is_refused(results):
    with pytest.raises(BadInput, match="does not hold the clip nobody as its manifest says"):
        read_frames(results / STORES["crop_faces"], "nobody", [0])


@pytest.fixture(scope="module")
def truncated(media_folder, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("truncated") / "cut.mpg"
    content = (media_folder / "talkers" / "lbax4n.mpg").read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


@pytest.mark.parametrize("changes", [{"name": "extract_audio"}, {"name": "track_faces"}, {"name": "cut_clips", "seconds": 5}])
def test_what_decodes_of_a_truncated_video_is_used_and_called_partial(truncated, tmp_path, changes):
    assert run_script(clips={"one": truncated}, results=tmp_path, **changes)["status"] == {"one": "partial"}


def test_a_clip_that_ends_before_the_damage_is_whole(truncated, tmp_path):
    assert run_script("cut_clips", {"one": truncated}, tmp_path)["status"] == {"one": "ok"}
    assert len(list(iter_video(tmp_path / "clips" / "A1" / "one.mp4", 10))) == 5


SOURCE = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration={seconds}", "-f", "lavfi", "-i", "sine=duration={seconds}"]
ENCODE = ["-map", "0:v", "-map", "1:a", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"]


@pytest.fixture(scope="module")
def odd_files(tmp_path_factory) -> Path:
    """A truncated, an empty and a short file, one of a single picture, and one of sound alone."""
    folder = tmp_path_factory.mktemp("odd")
    for name, seconds in (("whole", 2), ("short", 0.4), ("one_frame", 0.04)):
        run_ffmpeg(*(part.format(seconds=seconds) for part in SOURCE), *ENCODE, "-movflags", "+faststart", folder / f"{name}.mp4", "-f", "null")
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", folder / "audio_only.mp4", "-f", "null")
    whole = (folder / "whole.mp4").read_bytes()
    (folder / "truncated.mp4").write_bytes(whole[: len(whole) // 2])
    (folder / "headless.mp4").write_bytes(whole[-len(whole) // 2 :])
    (folder / "empty.mp4").write_bytes(b"")
    return folder


SENTENCES = {
    "truncated": "partial, something of it does not decode, and the rest is used.",
    "headless": "decode_error, {path}: it cannot be opened as a video (Invalid data found when processing input).",
    "empty": "decode_error, {path}: it cannot be opened as a video (Invalid data found when processing input).",
    "audio_only": "decode_error, {path}: it has no video stream that can be decoded.",
    "one_frame": "too_short, it is too short for one frame or sample.",
    "short": "",
}
NO_FACE_THERE = dict.fromkeys(["truncated", "short"], "no_face, no face was found in any frame.")


@pytest.mark.parametrize("file", SENTENCES)
@pytest.mark.parametrize("name", ["track_faces", "sample_body_frames", "extract_audio", "cut_clips"])
def test_odd_files_have_a_status_and_a_sentence(odd_files, tmp_path, capsys, file, name):
    path = odd_files / f"{file}.mp4"
    sentences = SENTENCES | {"track_faces": NO_FACE_THERE, "extract_audio": {"one_frame": ""}}.get(name, {})
    if name == "sample_body_frames":
        run_script("track_faces", {"one": path}, tmp_path)
        capsys.readouterr()
    (status,) = run_script(name, {"one": path}, tmp_path, **({"seconds": 5} if name == "cut_clips" else {}))["status"].values()
    expected = sentences[file].format(path=path)
    assert capsys.readouterr().out == (f"one: {expected}\n" if expected else "")
    assert status == (expected.split(",")[0] or "ok")


@pytest.mark.parametrize(("file", "n_frames", "n_samples"), [("one_frame", 1, 640), ("short", 12, 6400)])
def test_one_picture_and_four_tenths_of_a_second_keep_their_length(odd_files, tmp_path, file, n_frames, n_samples):
    run_script("track_faces", {"one": odd_files / f"{file}.mp4"}, tmp_path, fps=30)
    assert len(read_track(tmp_path / STORES["track_faces"], "one")[1].detected) == n_frames
    run_script("extract_audio", {"one": odd_files / f"{file}.mp4"}, tmp_path)
    assert soundfile.info(tmp_path / "audio" / "A1" / "one.flac").frames == n_samples


def test_less_than_half_a_sample_of_sound_is_too_short(tmp_path, capsys):
    source = ["-f", "lavfi", "-i", "color=size=64x48:rate=60000:duration=0.00001", "-f", "lavfi", "-i", "sine=duration=0.1"]
    run_ffmpeg(*source, "-c:v", "mpeg4", "-video_track_timescale", "60000", "-c:a", "aac", tmp_path / "instant.mp4", "-f", "null")
    manifest = run_script("extract_audio", {"one": tmp_path / "instant.mp4"}, tmp_path / "results")
    assert (manifest["status"], manifest["duration_s"]) == ({"one": "too_short"}, {})
    assert capsys.readouterr().out == "one: too_short, it is too short for one frame or sample.\n"


@pytest.mark.parametrize(("name", "n_frames"), [("track_faces", 30), ("crop_faces", 30), ("sample_body_frames", 15), ("cut_clips", 5)])
def test_progress_counts_the_frames_of_each_clip(results, shard, tmp_path, monkeypatch, name, n_frames):
    steps = []
    monkeypatch.setattr(shard_module.Progress, "step", lambda self, parts=0: steps.append(parts))
    shutil.copytree(results / "track", tmp_path / "track")
    run_script(name, {"absent": None, "good": shard / "good.mpg"}, tmp_path)
    assert steps == [0, n_frames]
