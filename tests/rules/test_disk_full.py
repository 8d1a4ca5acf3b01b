"""A disk that is full: an error of its own kind, never a crash, and nothing half-written that counts as finished."""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rules import test_classify_scripts as classify
from rules import test_fusion_scripts as fusion
from rules.bad_videos import encode
from rules.media_stage import STORES, run_script
from unit.report.simulated import SimulatedRun
from unit.test_stores import features

import export_system
import fuse
import gather_features
import import_provided
import train_head
import write_predictions
from blemore.classify.tensors import write_tensors
from blemore.data.labels import EMOTIONS
from blemore.features import gemini, weights
from blemore.finetune.resume import Resume
from blemore.fusion.scores import write_scores
from blemore.job import disk_problem
from blemore.media.shard import Disk, finish_store, new_store, write_clip
from blemore.prediction.system import open_system
from blemore.stores import (
    Probabilities,
    manifest_path,
    read_features,
    read_manifest,
    read_probabilities,
    write_features,
    write_json,
    write_probabilities,
)


@pytest.fixture
def small_disk(tmp_path):
    with mounted(tmp_path / "disk", "256k") as folder:
        yield folder


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A small file system in a new folder."""
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount")
    try:
        yield folder
    finally:
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


@pytest.mark.parametrize("name", ["track_faces", "crop_faces", "sample_body_frames", "extract_audio", "cut_clips"])
def test_a_script_of_the_media_stage_stops_without_a_manifest(small_disk, tmp_path, name):
    clips = {"one": encode(tmp_path / "one.mov", "-c:v", "mpeg4", "-c:a", "pcm_s16le")}
    if name in ("crop_faces", "sample_body_frames"):
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


def test_heads_that_do_not_fit_leave_no_manifest(small_disk, tmp_path):
    task = classify.job(classify.write_data(tmp_path), small_disk / "heads", "fold0", "logistic")
    ballast = fill(small_disk, 8192)
    stops(train_head.main, task)
    assert not Path(task.output.manifest).exists()
    ballast.unlink()
    train_head.main(task)
    assert len(read_probabilities(task.output.store).clip) == 50


def test_gathered_shards_that_do_not_fit_leave_no_manifest(small_disk, tmp_path):
    shards = [str(tmp_path / f"{shard}.zarr") for shard in ("A1", "A2")]
    for shard in shards:
        write_features(shard, features(n=60, width=500, clip=[f"{Path(shard).stem}_{n}" for n in range(60)]), {})
    output = SimpleNamespace(store=str(small_disk / "all.zarr"), manifest=str(small_disk / "all.json"))
    task = SimpleNamespace(input=SimpleNamespace(stores=shards), output=output, params=SimpleNamespace(cfg={"max_failed_fraction": 0}, code={}))
    ballast = fill(small_disk, 65_536)
    stops(gather_features.main, task)
    assert not Path(output.manifest).exists()
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    ballast.unlink()
    gather_features.main(task)
    assert len(read_features(output.store).clip) == 120


def test_scores_that_do_not_fit_are_not_there(small_disk, tmp_path):
    task = fusion.job(small_disk / "both", fusion.DataSet(tmp_path))
    ballast = fill(small_disk, 4096)
    stops(fuse.main, task)
    assert not Path(task.output.scores).exists()
    ballast.unlink()
    fuse.main(task)
    assert json.loads(Path(task.output.scores).read_text())["members"] == ["wav2vec2/mlp_1024", "hicmae/logistic"]


def test_a_report_that_does_not_fit_is_an_error(small_disk, tmp_path):
    run = SimulatedRun(tmp_path, encoders=1, every=60, ensembles={"all": [0]})
    (tmp_path / "results" / "report").symlink_to(small_disk)
    stops(run.report)
    assert not (small_disk / "index.html").exists()
    subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
    assert run.report().read_text().rstrip().endswith("</html>")


class Paid:
    """Counts what is asked of a service."""

    def __init__(self) -> None:
        self.asked = 0

    def embed(self, parts) -> np.ndarray:
        self.asked += 1
        return np.eye(1, gemini.FULL_DIMENSION, dtype=np.float32)[0]


@pytest.mark.parametrize(("room_bytes", "paid"), [(gemini.ROOM_BYTES, 0), (0, 1)])
def test_a_reply_that_could_not_be_kept_is_not_paid_for(small_disk, monkeypatch, room_bytes, paid):
    monkeypatch.setattr(gemini, "ROOM_BYTES", room_bytes)
    service, path = Paid(), small_disk / "kept" / "reply.json"
    ballast = fill(small_disk, 8192)
    stops(gemini.embed_all, {"a": (path, {})}, lambda clip: [], lambda: service, 1)
    assert (service.asked, path.exists()) == (paid, False)
    ballast.unlink()
    (vector,) = gemini.embed_all({"a": (path, {})}, lambda clip: [], lambda: service, 1).values()
    assert (service.asked, vector[0]) == (paid + 1, 1)
    assert path.is_file()


def test_a_training_whose_state_does_not_fit_goes_on_from_the_state_before(small_disk):
    resume = Resume(small_disk, {})
    resume.write({"place": 1, "weights": torch.zeros(100)})
    ballast = fill(small_disk, 8192)
    stops(resume.write, {"place": 2, "weights": torch.zeros(20_000)})
    assert resume.read("cpu")["place"] == 1
    ballast.unlink()
    resume.write({"place": 2, "weights": torch.zeros(20_000)})
    assert resume.read("cpu")["place"] == 2


def test_a_system_that_does_not_fit_is_none(small_disk, tmp_path):
    head, scores, folder = tmp_path / "results/heads/w/mlp/fold0.safetensors", tmp_path / "scores.json", small_disk / "system"
    head.parent.mkdir(parents=True)
    write_tensors(head, {"seed1.0.weight": np.zeros((100, 100), np.float32)})
    write_scores(scores, {"chosen": {}}, [])
    params = SimpleNamespace(cfg={}, members=[], models=[], media={}, features={}, concatenations={}, heads={}, runtime={"weights": "weights"})
    inputs = SimpleNamespace(heads=[str(head)], checkpoints=[], weights=[], scores=str(scores))
    task = SimpleNamespace(input=inputs, output=SimpleNamespace(system=str(folder)), params=params, wildcards=SimpleNamespace(ensemble="all"))
    ballast = fill(small_disk, 8192)
    stops(export_system.main, task)
    assert not (folder / "system.json").exists()
    ballast.unlink()
    export_system.main(task)
    open_system(folder).check("")


def test_predictions_that_do_not_fit_are_not_there(small_disk, tmp_path):
    store, status, files = tmp_path / "fold0.zarr", tmp_path / "status.json", {f"c{number}": f"c{number}.mov" for number in range(200)}
    probability = np.full((len(files), 6), 1 / 6, np.float32)
    write_probabilities(store, Probabilities(probability, list(files), ["test"] * len(files), np.log(probability)), EMOTIONS, {})
    write_json(status, dict.fromkeys(files, "ok"))
    cfg = {"members": [["w", "mlp"]], "chosen": {"weights": [1.0], "alpha": 0.1, "beta": 0.1, "average": "probabilities"}}
    params = SimpleNamespace(cfg=cfg, code={}, files=files, members=[["w", "mlp"]], models=1)
    output = SimpleNamespace(table=str(small_disk / "predictions.csv"), predictions=str(small_disk / "predictions.json"))
    task = SimpleNamespace(input=SimpleNamespace(stores=[str(store)], statuses=[str(status)]), output=output, params=params)
    ballast = fill(small_disk, 4096)
    stops(write_predictions.main, task)
    assert not (small_disk / "predictions.csv").exists()
    assert not (small_disk / "predictions.json").exists()
    ballast.unlink()
    write_predictions.main(task)
    assert len(json.loads(Path(output.predictions).read_text())["clips"]) == len(files)


def test_submissions_that_do_not_fit_are_not_there(small_disk, tmp_path):
    data, folder = fusion.DataSet(tmp_path), small_disk / "all"
    fusion.run_fuse(tmp_path / "all", data)
    folder.mkdir()
    shutil.copy(tmp_path / "all" / "test_decisions.csv", folder)
    ballast = fill(small_disk, 0)
    stops(fusion.submit, folder, data)
    assert not list(folder.glob("*.zip"))
    ballast.unlink()
    assert all(Path(path).is_file() for path in fusion.submit(folder, data).values())


def test_provided_features_that_do_not_fit_leave_no_manifest(small_disk, tmp_path):
    clips = {f"c{number}": (str(tmp_path / f"c{number}.npy"), 1, "A1") for number in range(60)}
    for file, _, _ in clips.values():
        np.save(file, np.random.default_rng(0).random((1, 1000), np.float32))
    output = SimpleNamespace(store=str(small_disk / "given.zarr"), manifest=str(small_disk / "given.json"))
    params = SimpleNamespace(clips=clips, cfg={"width": None, "columns": None}, code={}, limit={"max_failed_fraction": 0})
    ballast = fill(small_disk, 16_384)
    stops(import_provided.main, SimpleNamespace(output=output, params=params))
    assert not Path(output.manifest).exists()
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    ballast.unlink()
    import_provided.main(SimpleNamespace(output=output, params=params))
    assert len(read_features(output.store).clip) == 60


def test_weights_that_do_not_fit_are_not_taken_for_fetched(small_disk, monkeypatch):
    """The remedy is room, and no other folder."""
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    def download(model: str, revision: str, folder: Path, files: tuple[str, ...]) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text("{}")
        (folder / "model.safetensors").write_bytes(bytes(100_000))

    monkeypatch.setattr(weights, "_download", download)
    ballast = fill(small_disk, 8192)
    stops(weights.fetch, "org/tiny", "main", small_disk)
    assert not weights.is_fetched(small_disk / "org--tiny--main")
    ballast.unlink()
    assert weights.describe(weights.fetch("org/tiny", "main", small_disk))["bytes"] == {"config.json": 2, "model.safetensors": 100_000}


def stops(main, *arguments, **more) -> None:
    """The script ends with an error that is one sentence on the disk."""
    with pytest.raises(Exception) as full:  # noqa: PT011
        main(*arguments, **more)
    assert disk_problem(full.value).startswith("no room is left on the disk of ")


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
        (OSError(errno.ENOSPC, "No space left on device", "/elsewhere/x.partial"), "no room is left on the disk of /elsewhere/x.partial; free some"),
        (
            RuntimeError("unable to write to file </torch_1>: No space left on device (28)"),
            "no room is left on the disk of /dev/shm (through which `runtime.loader_workers` processes hand over what they read); free some",
        ),
        (OSError(errno.ESTALE, "Stale file handle", "x.h5"), "x.h5 cannot be reached (Stale file handle), since its disk or the network fails"),
        (
            OSError(errno.EIO, "Input/output error", "x.h5"),
            "x.h5 cannot be reached (Input/output error), since its disk or the network fails; run the same command again.",
        ),
        (OSError(errno.ENOSPC, "No space left on device", "/data/torch_1/x"), "no room is left on the disk of /data/torch_1/x; free some"),
        (RuntimeError("something else"), ""),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), ""),
    ],
)
def test_faults_of_the_disk_are_one_sentence(error, sentence):
    said = disk_problem(error)
    assert said.startswith(sentence)
    assert said.endswith("run the same command again.") == said.startswith("x.h5")
    assert bool(said) == bool(sentence)
