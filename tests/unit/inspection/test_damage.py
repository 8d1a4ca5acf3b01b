"""Damage to every kind of store is found, and a store that is not damaged never counts as such."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import zarr

from blemore.inspection.damage import damage, manifests
from blemore.inspection.opening import open_store

KINDS = ["media/track/A1", "media/faces/A1", "media/body/A1", "media/audio/A1", "features/w", "probabilities/w/mlp/fold0"]


def problems(results: Path) -> list[str]:
    return [problem for manifest in manifests(results) if (problem := damage(manifest))]


def content(path: Path) -> dict[str, object]:
    """All that a store holds, in a way that compares equal for equal content."""
    if path.suffix == ".h5":
        with h5py.File(path, "r") as store:
            return {f"{clip}/{name}": [np.asarray(row).tobytes() for row in data] for clip, group in store.items() for name, data in group.items()}
    if path.suffix == ".zarr":
        return {name: str(np.asarray(array).tolist()) for name, array in zarr.open_group(path).arrays()}  # every NaN is nan
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_whole_stores_have_no_problem_and_each_is_looked_at(results):
    found = list(manifests(results))
    assert {str(manifest.relative_to(results).with_suffix("")) for manifest in found} == set(KINDS)
    assert problems(results) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_is_found_unless_nothing_reads_it(results, kind):
    """Free space of a file, and attributes, are no content: there a flip must leave what is read as it was."""
    store = open_store(results / f"{kind}.json").path
    files = [store] if store.is_file() else sorted(path for path in store.rglob("*") if path.is_file() and path.name not in ("zarr.json", "provenance.json"))
    before, rng, found = content(store), np.random.default_rng(1), 0
    for _ in range(40):
        file = files[rng.integers(len(files))]
        whole = file.read_bytes()
        offset = int(rng.integers(len(whole)))
        file.write_bytes(whole[:offset] + bytes([whole[offset] ^ 1 << int(rng.integers(8))]) + whole[offset + 1 :])
        if damage(results / f"{kind}.json"):
            found += 1
        else:
            assert content(store) == before
        file.write_bytes(whole)
    assert found > 0
    assert problems(results) == []


@pytest.mark.parametrize("kind", ["features/w", "probabilities/w/mlp/fold0"])
def test_a_chunk_that_is_gone_is_found(results, kind):
    chunk = next(path for path in (results / f"{kind}.zarr").rglob("c/*/*") if path.is_file())
    chunk.unlink()
    [problem] = problems(results)
    assert problem == f"{results}/{kind}.zarr does not hold what its manifest {results}/{kind}.json says; delete both and run again."


def test_a_sound_that_is_gone_is_found(results):
    next((results / "media/audio/A1").glob("*.flac")).unlink()
    [problem] = problems(results)
    assert problem == f"{results}/media/audio/A1 does not hold what its manifest {results}/media/audio/A1.json says; delete both and run again."


@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_that_was_cut_off_is_found(results, kind):
    manifest = results / f"{kind}.json"
    manifest.write_text(manifest.read_text()[:20])
    [problem] = problems(results)
    assert str(manifest) in problem
    assert problem.endswith("and run again.")


def test_a_manifest_that_says_too_little_is_found(results):
    manifest = results / "media/audio/A1.json"
    manifest.write_text('{"content_sha256": "0"}')
    assert problems(results) == [f"{manifest} or the store beside it is damaged (KeyError: 'status'); delete both and run again."]


def test_a_manifest_without_its_store_is_found(results):
    shutil.rmtree(results / "features/w.zarr")
    assert problems(results) == [f"{results}/features/w.json describes a store that is not there; delete it and run again."]
