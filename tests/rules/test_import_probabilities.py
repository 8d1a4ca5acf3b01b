"""What `fuse` writes is imported, and fused again."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from rules.test_fusion_scripts import FOLDS, DataSet, job, percent, run_fuse

import fuse
import import_probabilities
from blemore.fusion.predictions import columns, write_table
from blemore.report.costs import status_counts
from blemore.settings import sha256
from blemore.stores import read_attributes, read_manifest, read_probabilities


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return DataSet(tmp_path_factory.mktemp("data"), test_labels=True)


def imported(folder: Path, data: DataSet, model: str, *files: Path) -> str:
    folder.mkdir(exist_ok=True)
    store = folder / f"{model}.zarr"
    params = SimpleNamespace(cfg={"files": [file.name for file in files]}, code={}, files={str(file): sha256(file) for file in files})
    output = SimpleNamespace(store=str(store), manifest=str(store.with_suffix(".json")))
    wildcards = SimpleNamespace(encoder="theirs", model=model)
    import_probabilities.main(SimpleNamespace(input=SimpleNamespace(sheet=str(data.sheet)), output=output, params=params, wildcards=wildcards))
    return str(store)


def fused_again(folder: Path, data: DataSet, *files: Path):
    """The tables of fusing what was imported alone."""
    stores = [imported(folder, data, f"fold{fold}", *files) for fold in FOLDS]
    snakemake = job(folder / "fused", data, members=(), ensemble="theirs")
    snakemake.input.stores, snakemake.params.members = stores, [["theirs", "own"]]
    fuse.main(snakemake)
    return pd.read_csv(snakemake.output.decisions), pd.read_csv(snakemake.output.test_decisions)


def test_what_fusion_writes_is_decided_the_same_when_it_comes_back(data, tmp_path):
    _, decisions, tested = run_fuse(tmp_path / "first", data, members=(0,), ensemble="alone")
    again, tested_again = fused_again(tmp_path / "again", data, tmp_path / "first/decisions.csv", tmp_path / "first/test_decisions.csv")
    pd.testing.assert_frame_equal(again, decisions, check_exact=False, rtol=1e-6)
    assert np.array_equal(percent(tested_again, "decision"), percent(tested, "decision"))
    assert percent(tested_again, "probability") == pytest.approx(percent(tested, "probability"), rel=1e-6)


def test_a_clip_without_a_line_is_missing_and_each_store_holds_its_own_fold_and_the_test_clips(data, tmp_path):
    train = pd.DataFrame({"clip": data.clips[:60], "fold": data.folds[:60]} | columns("probability", data.own_fold(0)))
    test = pd.DataFrame({"clip": data.clips[61:]} | columns("probability", data.probability[0][3, 61:]))
    write_table(tmp_path / "train.csv", train[train["clip"] != "A1_clip_01"])
    write_table(tmp_path / "test.csv", test)
    store = imported(tmp_path / "stores", data, "fold1", tmp_path / "train.csv", tmp_path / "test.csv")
    rows = read_probabilities(store)
    assert rows.clip == [clip for clip, fold in zip(data.clips, data.folds, strict=True) if fold == 1 or clip.startswith("test")]
    assert rows.split == ["scored"] * 20 + ["test"] * 4
    assert np.isnan(rows.probability[0]).all()
    assert np.array_equal(rows.probability[1:20], data.own_fold(0)[train["fold"] == 1][1:])
    assert read_manifest(store)["status_counts"] == {"ok": 23, "missing": 1}
    assert read_attributes(store)["sources"] == [sha256(tmp_path / "train.csv"), sha256(tmp_path / "test.csv")]
    retrained = read_probabilities(imported(tmp_path / "stores", data, "retrained", tmp_path / "train.csv", tmp_path / "test.csv"))
    assert (retrained.clip, retrained.split) == (data.clips[61:], ["test"] * 4)


def test_without_test_clips_the_retrained_store_is_empty(tmp_path):
    data = DataSet(tmp_path, test_clips=0)
    write_table(tmp_path / "train.csv", pd.DataFrame({"clip": data.clips[:60], "fold": data.folds[:60]} | columns("probability", data.own_fold(0))))
    assert read_probabilities(imported(tmp_path / "stores", data, "retrained", tmp_path / "train.csv")).clip == []


def test_clips_are_counted_over_all_folds(data, tmp_path):
    _, decisions, _ = run_fuse(tmp_path / "first", data, members=(0,), ensemble="alone")
    decisions.drop(index=5).to_csv(tmp_path / "theirs.csv", index=False)
    folder = tmp_path / "probabilities/theirs/own"
    folder.mkdir(parents=True)
    stores = [imported(folder, data, f"fold{fold}", tmp_path / "theirs.csv") for fold in FOLDS]
    assert status_counts([str(Path(store).with_suffix(".json")) for store in stores]) == {"theirs": {"ok": 59, "missing": 5}}
