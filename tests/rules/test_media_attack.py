"""Hundreds of bad videos through the whole media stage: a status each, no crash, no hang, bounded memory, and their neighbours unharmed."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from rules.attack import CLIP_S
from rules.bad_videos import by_name, encode, mutants, write_formats, write_odd_entries, write_odd_videos
from rules.media_stage import STORES, run_script
from unit.media.recordings import run_ffmpeg

from blemore.media.shard import folder_digest, store_digest
from blemore.stores import STATUSES, read_manifest

PER_SHARD = 60
MOST_MB = 1500  # PyTorch alone takes a third of it
SUFFIX = {"extract_audio": ".flac", "cut_clips": ".mp4"}
SAMPLED = 24  # one mutant of so many is tried in every run of the tests


@pytest.fixture(scope="module")
def good(media_folder, tmp_path_factory) -> dict[str, Path]:
    """Two clips with a face, the first and the last of every shard."""
    folder = tmp_path_factory.mktemp("good")
    for name, talker in (("0_first", "brbk7n"), ("zz_last", "lrwp9a")):
        shortened = ["-t", "0.6", "-vf", "scale=180:144", "-c:v", "mpeg4", "-q:v", "2", "-c:a", "pcm_s16le"]
        run_ffmpeg("-i", media_folder / "talkers" / f"{talker}.mpg", *shortened, folder / f"{name}.mov", "-f", "null")
    return {path.stem: path for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def undisturbed(good, tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    for name in STORES:
        run_script(name, good, folder)
    return digests(folder, good)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict[str, Path]:
    return write_formats(tmp_path_factory.mktemp("whole"))


def attack(clips: Mapping[str, Path], results: Path) -> int:
    """Peak memory in MB of the stage on a shard of these clips."""
    command = [sys.executable, str(Path(__file__).with_name("attack.py")), str(results), *(f"{clip}={path}" for clip, path in clips.items())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CLIP_S * len(clips))
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout.splitlines()[-1])


def digests(results: Path, clips: Mapping[str, Path]) -> dict[str, str]:
    """Content of the good clips alone in each store."""
    found = {}
    for name, store in STORES.items():
        manifest, suffix = read_manifest(results / store), SUFFIX.get(name)
        statuses = {clip: manifest["status"][clip] for clip in clips}
        assert set(statuses.values()) == {"ok"}
        found[name] = folder_digest(results / store, suffix, statuses) if suffix else store_digest(results / store, list(clips))
    return found


def survive(bad: Mapping[str, Path], good, undisturbed, results: Path) -> dict[str, dict[str, str]]:
    """Script -> clip -> status, of a shard that holds the bad clips between the good ones."""
    first, last = good
    peak_mb = attack({first: good[first], **bad, last: good[last]}, results)
    assert peak_mb < MOST_MB
    assert digests(results, good) == undisturbed
    statuses = {name: read_manifest(results / store)["status"] for name, store in STORES.items()}
    for status in statuses.values():
        assert set(status) == {first, *bad, last}
        assert set(status.values()) <= set(STATUSES)
    return statuses


def write(folder: Path, made) -> dict[str, Path]:
    folder.mkdir()
    for name, content in made:
        (folder / name).write_bytes(content)
    return by_name(folder)


ODD = {  # track, faces, body, audio, clips
    "changes_size": "no_face no_face ok ok ok",
    "flat_pixels": "no_face no_face ok ok ok",
    "frame": "too_short too_short too_short ok too_short",
    "large": "no_face no_face ok ok ok",
    "leap": "no_face no_face partial no_audio partial",
    "picture": "too_short too_short too_short no_audio too_short",
    "pictures_only": "no_face no_face ok no_audio ok",
    "pixel": "no_face no_face ok no_audio ok",
    "small": "no_face no_face ok ok ok",
    "sound_only": "decode_error decode_error decode_error decode_error decode_error",
    "surround": "no_face no_face ok ok ok",
    "thousand_fps": "no_face no_face ok ok ok",
    "wide_pixels": "no_face no_face ok ok ok",
}


def test_a_shard_of_bad_videos_has_a_status_for_each(whole, good, undisturbed, tmp_path):
    entries, videos = write_odd_entries(tmp_path / "entries"), write_odd_videos(tmp_path / "videos")
    damaged = write(tmp_path / "damaged", list(mutants(whole))[::SAMPLED])
    assert len(damaged) > 20
    statuses = survive({**entries, **videos, **damaged}, good, undisturbed, tmp_path / "results")
    assert {" ".join(status[clip] for status in statuses.values()) for clip in entries} == {" ".join(["decode_error"] * len(STORES))}
    assert {clip: " ".join(status[clip] for status in statuses.values()) for clip in videos} == ODD


def test_a_file_without_permission_is_a_decode_error(good, undisturbed, tmp_path):
    closed = encode(tmp_path / "closed.mp4", "-c:v", "mpeg4")
    closed.chmod(0)
    try:
        closed.read_bytes()
    except PermissionError:
        statuses = survive({"closed": closed}, good, undisturbed, tmp_path / "results")
        assert {status["closed"] for status in statuses.values()} == {"decode_error"}
    else:
        pytest.skip("this user may read every file")


@pytest.mark.soak
@pytest.mark.parametrize(("size", "rate", "seconds", "most_mb"), [("7680x4320", 10, 0.6, 3 * MOST_MB), ("64x48", 5, 600, MOST_MB)])
def test_large_and_long_videos_fit_into_memory(good, undisturbed, tmp_path, size, rate, seconds, most_mb):
    surround = ["-af", "pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0", "-c:a", "flac"]
    video = encode(tmp_path / "large.mkv", "-c:v", "mjpeg", *surround, size=size, rate=rate, seconds=seconds)
    results = tmp_path / "results"
    assert attack({**good, "large": video}, results) < most_mb
    assert digests(results, good) == undisturbed
    assert [read_manifest(results / STORES[name])["status"]["large"] for name in SUFFIX] == ["ok", "ok"]


@pytest.mark.soak
def test_hundreds_of_damaged_videos_each_have_a_status(whole, good, undisturbed, tmp_path):
    made, tried, seen = list(mutants(whole)), 0, set()
    for start in range(0, len(made), PER_SHARD):
        bad = write(tmp_path / str(start), made[start : start + PER_SHARD])
        for status in survive(bad, good, undisturbed, tmp_path / f"results{start}").values():
            seen |= set(status.values())
        tried += len(bad)
    assert tried > 500
    assert seen >= {"ok", "no_face", "no_audio", "decode_error", "partial"}
