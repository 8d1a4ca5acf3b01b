"""Damage to every kind of result is found, and what is not damaged never counts as such."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr
from safetensors.numpy import load_file, save_file
from unit.inspection.conftest import CLIPS, MADE

from blemore.classify.tensors import read_tensors
from blemore.features.weights import describe, open_folder
from blemore.finetune.checkpoints import finish_checkpoint
from blemore.inspection.damage import checks, damage, manifests
from blemore.inspection.opening import open_store
from blemore.job import BadInput
from blemore.media.clips import write_mp4
from blemore.media.shard import finish_folder, finish_store, new_folder, new_store, write_clip
from blemore.prediction.export import copy_trained, write_system
from blemore.stores import OK, write_json

STORES = ["media/track/A1", "media/faces/A1", "media/body/A1", "media/audio/A1", "media/clips/A1", "features/w", "probabilities/w/mlp/fold0"]
HEAD, CHECKPOINT, SYSTEM, WEIGHTS, PRETRAINED = "heads/w/mlp/fold0.safetensors", "finetune/s4d/fold0", "system/all", "weights/w.json", "pretrained"
KINDS = [*STORES, HEAD, CHECKPOINT, SYSTEM, PRETRAINED]
UNREAD = ("zarr.json", "provenance.json")  # attributes are no content
DAMAGED = {HEAD: HEAD, CHECKPOINT: CHECKPOINT, SYSTEM: f"{SYSTEM}/system.json", PRETRAINED: WEIGHTS}  # what is named where it is no store


@pytest.fixture
def results(results):
    """With one result of every kind, and the weights of one encoder beside the features that came of it."""
    folder = new_folder(results / "media/clips/A1")
    write_mp4(folder / "A1_ang.mp4", [np.full((32, 32, 3), 128, np.uint8)] * 3, None, fps=10, max_height=32, crf=23, audio_bitrate=64000)
    finish_folder(folder, ".mp4", dict(zip(CLIPS, (OK, 6, 6))), MADE)
    (results / CHECKPOINT / "seed1").mkdir(parents=True)
    shutil.copy(results / HEAD, results / CHECKPOINT / "seed1/model.safetensors")
    finish_checkpoint(results / CHECKPOINT)
    copy_trained(results / SYSTEM, [str(results / HEAD), str(results / CHECKPOINT)])
    write_system(results / SYSTEM, {"models": ["fold0"]})
    shutil.copytree(results / CHECKPOINT / "seed1", results / PRETRAINED)
    (results / PRETRAINED / "config.json").write_text("{}")
    write_json(results / WEIGHTS, describe(results / PRETRAINED))
    return results


def found(results: Path) -> list[tuple]:
    model = {"model": str(results / PRETRAINED), "revision": "main"}
    return list(checks(results, {"features": {"w": model}, "runtime": {"weights": "weights"}}))


def problems(results: Path) -> list[str]:
    return [problem for path, check in found(results) if (problem := damage(path, check))]


def problem_of(results: Path, kind: str) -> str | None:
    named = results / DAMAGED.get(kind, f"{kind}.json")
    return next(damage(path, check) for path, check in found(results) if path == named)


def content(path: Path) -> dict[str, object]:
    """All that a store holds, in a way that compares equal for equal content."""
    if path.suffix == ".h5":
        with h5py.File(path, "r") as store:
            return {f"{clip}/{name}": [np.asarray(row).tobytes() for row in data] for clip, group in store.items() for name, data in group.items()}
    if path.suffix == ".zarr":
        return {name: str(np.asarray(array).tolist()) for name, array in zarr.open_group(path).arrays()}  # every NaN is nan
    if path.suffix == ".safetensors":
        return {name: values.tolist() for name, values in load_file(path).items()}
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file() and file.name not in UNREAD}


def place_of(results: Path, kind: str) -> Path:
    return open_store(results / f"{kind}.json").path if kind in STORES else results / kind


def test_what_is_whole_has_no_problem_and_each_is_looked_at(results):
    assert {str(manifest.relative_to(results).with_suffix("")) for manifest in manifests(results)} == set(STORES)
    named = {str(path.relative_to(results)) for path, _ in found(results)}
    assert named == {*(f"{store}.json" for store in STORES), *DAMAGED.values()}
    assert problems(results) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_found_unless_nothing_reads_it(results, kind):
    """Free space of a file, and attributes, are no content: there a flip must leave what is read as it was."""
    store = place_of(results, kind)
    files = [store] if store.is_file() else sorted(path for path in store.rglob("*") if path.is_file() and path.name not in UNREAD)
    before, rng, said = content(store), np.random.default_rng(1), 0
    for _ in range(40):
        file = files[rng.integers(len(files))]
        whole = file.read_bytes()
        offset = int(rng.integers(len(whole)))
        file.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1 << int(rng.integers(8))]) + whole[offset + 1 :])
        if problem := problem_of(results, kind):
            said += 1
            assert "\n" not in problem
        else:
            assert content(store) == before
        file.write_bytes(whole)
    assert said > 0
    assert problems(results) == []


@pytest.mark.parametrize("kind", ["features/w", "probabilities/w/mlp/fold0"])
def test_a_chunk_that_is_gone_is_found(results, kind):
    chunk = next(path for path in (results / f"{kind}.zarr").rglob("c/*/*") if path.is_file())
    chunk.unlink()
    [problem] = problems(results)
    assert problem == f"{results}/{kind}.zarr does not hold what its manifest {results}/{kind}.json says; delete both and run again."


@pytest.mark.parametrize("kind", ["media/audio/A1", "media/clips/A1"])
def test_a_file_that_is_gone_is_found(results, kind):
    next((results / kind).glob("A1_ang.*")).unlink()
    [problem] = problems(results)
    assert problem == f"{results}/{kind} does not hold what its manifest {results}/{kind}.json says; delete both and run again."


@pytest.mark.parametrize("kind", STORES)
def test_a_manifest_that_was_cut_off_is_found(results, kind):
    manifest = results / f"{kind}.json"
    manifest.write_text(manifest.read_text()[:20])
    [problem] = problems(results)
    assert str(manifest) in problem
    assert problem.endswith("and run again.")


def test_a_manifest_that_says_too_little_is_found(results):
    manifest = results / "media/audio/A1.json"
    manifest.write_text('{"content_sha256": "0"}')
    assert problems(results) == [f"{manifest} or the store beside it is damaged (KeyError: 'clips'); delete both and run again."]


def test_a_manifest_without_its_store_is_found(results):
    shutil.rmtree(results / "features/w.zarr")
    assert problems(results) == [f"{results}/features/w.json describes a store that is not there; delete it and run again."]


def damaged(path: Path) -> Path:
    """With the last bit flipped, which is in a weight."""
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    return path


def test_a_damaged_head_is_refused_by_its_readers_and_never_exported(results, tmp_path):
    head = damaged(results / HEAD)
    said = f"{head} does not hold the head that was written; delete it and run again."
    assert problems(results) == [said]
    with pytest.raises(BadInput) as error:
        read_tensors(head)
    assert str(error.value) == said
    with pytest.raises(BadInput, match="does not hold the head"):
        copy_trained(tmp_path / "system", [str(head)])


def test_a_head_without_a_digest_is_not_believed(results):
    head = results / HEAD
    save_file({"seed1.0.weight": np.eye(2, 3, dtype=np.float32)}, head)
    assert problems(results) == [f"{head} does not hold the head that was written; delete it and run again."]


def test_the_order_of_a_stores_clips_is_no_damage(results):
    """A manifest lists its statuses by name."""
    store = results / "media/track/Z9.h5"
    with new_store(store) as file:
        for clip in ("b", "a"):
            write_clip(file, clip, landmarks=np.zeros((2, 5, 2), np.float32))
        finish_store(file, {"b": OK, "a": OK}, {})
    folder = new_folder(results / "media/audio/Z9")
    for clip in ("b", "a"):
        (folder / f"{clip}.flac").write_bytes(clip.encode())
    finish_folder(folder, ".flac", {"b": OK, "a": OK}, {})
    assert problems(results) == []


@pytest.mark.parametrize("name", ["seed1/model.safetensors", "sha256.json"])
@pytest.mark.parametrize("gone", [False, True])
def test_a_damaged_checkpoint_is_named_and_never_exported(results, tmp_path, name, gone):
    folder = results / CHECKPOINT
    if gone:
        (folder / name).unlink()
    elif name == "sha256.json":
        (folder / name).write_text("[")
    else:
        damaged(folder / name)
    said = f"{folder / name} is not what the training left; delete {folder} and run again."
    assert problems(results) == [said]
    with pytest.raises(BadInput) as error:
        copy_trained(tmp_path / "system", [str(folder)])
    assert str(error.value) == said


def test_an_exported_system_is_looked_at_whole(results):
    head = damaged(results / SYSTEM / HEAD)
    assert problems(results) == [f"{head} is not the file that system.json names; copy the exported system again, whole."]


def test_weights_of_the_same_size_that_are_others_are_found(results):
    damaged(results / PRETRAINED / "model.safetensors")
    open_folder(str(results / PRETRAINED), "main", "weights", results / WEIGHTS)  # which compares sizes alone
    assert problems(results) == [
        f"{results}/pretrained does not hold the weights that {results}/weights/w.json describes (model.safetensors); "
        f"put them back, or delete {results}/weights/w.json and run again."
    ]


def test_fetched_weights_that_are_others_are_to_be_fetched_again(results, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("weights/org--name--main")
    shutil.copytree(results / PRETRAINED, folder)
    damaged(folder / "model.safetensors")
    config = {"features": {"w": {"model": "org/name", "revision": "main"}}, "runtime": {"weights": "weights"}}
    [said] = [problem for path, check in checks(results, config) if (problem := damage(path, check))]
    described = results / WEIGHTS
    assert said == f"{folder} does not hold the weights that {described} describes (model.safetensors); delete it and run `snakemake weights`."


def test_weights_that_are_gone_are_no_damage(results):
    shutil.rmtree(results / PRETRAINED)
    (results / "weights/other.json").write_text("{}")  # of an encoder that is configured no more
    assert problems(results) == []
