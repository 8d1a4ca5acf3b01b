"""A disk that is full: an error of its own kind, never a crash, and nothing half-written that counts as finished."""

import errno
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from rules.bad_videos import encode
from rules.media_stage import STORES, run_script
from unit.test_stores import features

from blemore.job import disk_problem
from blemore.media.shard import Disk, finish_store, new_store, write_clip
from blemore.stores import manifest_path, read_features, read_manifest, write_features


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    ballast, free = folder / "ballast", os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    ballast.write_bytes(b"\0" * (free - leave))
    return ballast


def write_frames(path: Path) -> None:
    generator = np.random.default_rng(0)
    with new_store(path) as store:
        for clip in range(10):
            write_clip(store, f"c{clip}", jpeg=[generator.integers(0, 255, 300, dtype=np.uint8) for _ in range(10)])
        finish_store(store, {f"c{clip}": 0 for clip in range(10)}, {})


@pytest.mark.parametrize("leave", range(0, 45_000, 4096))
def test_frames_that_do_not_fit_are_an_error_and_fit_once_there_is_room(small_disk, leave):
    """HDF5 itself crashes the process at most of these sizes."""
    ballast = fill(small_disk, leave)
    with pytest.raises(OSError, match="No space left") as full:
        write_frames(small_disk / "a.h5")
    assert disk_problem(full.value) == f"no room is left on the disk of {Path.cwd()}; free some and run the same command again: what is finished stays."
    assert not manifest_path(small_disk / "a.h5").exists()
    ballast.unlink()
    write_frames(small_disk / "a.h5")
    assert read_manifest(small_disk / "a.h5")["status_counts"] == {"ok": 10}


@pytest.mark.parametrize("name", ["track_faces", "sample_body_frames", "extract_audio", "cut_clips"])
def test_a_script_of_the_media_stage_stops_without_a_manifest(small_disk, tmp_path, name):
    clips = {"one": encode(tmp_path / "one.mov", "-c:v", "mpeg4", "-c:a", "pcm_s16le")}
    if name == "sample_body_frames":
        run_script("track_faces", clips, small_disk)
    ballast, store = fill(small_disk, 0), small_disk / STORES[name]
    with pytest.raises(OSError) as full:  # noqa: PT011
        run_script(name, clips, small_disk)
    assert full.value.errno == errno.ENOSPC
    assert not manifest_path(store).exists()
    ballast.unlink()
    assert "one" in run_script(name, clips, small_disk)["status"]


def test_features_that_do_not_fit_leave_no_manifest(small_disk):
    ballast, store = fill(small_disk, 65_536), small_disk / "a.zarr"
    with pytest.raises(OSError, match="No space left"):
        write_features(store, features(n=60, width=500), {})
    assert not manifest_path(store).exists()
    ballast.unlink()
    write_features(store, features(n=60, width=500), {})
    assert len(read_features(store).clip) == 60


def test_what_is_written_without_an_error_is_there(tmp_path):
    disk = Disk(tmp_path / "a")
    assert disk.write(b"abc") == 3
    disk.check()
    disk.close()
    assert (tmp_path / "a").read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "x.h5"), "x.h5 may not be read or written (Permission denied)"),
        (OSError(errno.EROFS, "Read-only file system", "x.h5"), "x.h5 may not be read or written (Read-only file system)"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "no room is left on the disk of"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "no room is left on the disk of"),
        (RuntimeError("something else"), ""),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), ""),
    ],
)
def test_faults_of_the_disk_are_one_sentence(error, sentence):
    said = disk_problem(error)
    assert said.startswith(sentence)
    assert said.endswith("run the same command again.") == said.startswith("x.h5")
    assert bool(said) == bool(sentence)
