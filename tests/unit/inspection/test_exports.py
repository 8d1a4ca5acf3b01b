import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from unit.inspection.conftest import MADE

from blemore.inspection.description import describe, describe_clip
from blemore.inspection.exports import export
from blemore.inspection.opening import clips_of, open_store
from blemore.inspection.plots import plot
from blemore.job import BadInput
from blemore.stores import Features, read_features, write_features


@pytest.fixture
def features(results):
    return open_store(results / "features/w.zarr")


def test_npz_holds_every_array_and_needs_no_pickle(features, tmp_path):
    export(features, tmp_path / "w.npz")
    rows = read_features(features.path)
    with np.load(tmp_path / "w.npz", allow_pickle=False) as found:
        assert set(found) == set(rows._fields)
        assert np.array_equal(found["embedding"], rows.embedding, equal_nan=True)
        assert found["clip"].tolist() == rows.clip


def test_official_npz_holds_usable_clips_alone(features, tmp_path, capsys):
    export(features, tmp_path / "w.npz", official=True)
    with np.load(tmp_path / "w.npz", allow_pickle=False) as found:
        assert set(found) == {"X", "filenames"}
        assert found["X"].tolist() == [[0, 1, 4, 9], [16, 25, 36, 49]]
        assert found["filenames"].tolist() == ["A1_ang", "A1_mix"]
    assert "1 clips without features are left out" in capsys.readouterr().out


@pytest.mark.parametrize(("ending", "read"), [(".csv", pd.read_csv), (".parquet", pd.read_parquet)])
def test_tables_have_a_row_for_each_clip(features, tmp_path, ending, read):
    export(features, tmp_path / f"w{ending}")
    found = read(tmp_path / f"w{ending}")
    assert found["clip"].tolist() == ["A1_ang", "A1_mix", "A1_none"]
    assert found["status"].tolist() == ["ok", "ok", "no_face"]
    assert found.loc[1, "feature_0":"feature_3"].tolist() == [16, 25, 36, 49]
    assert found.loc[2, "feature_0":].isna().all()


def test_layers_of_a_store_are_told_apart(results, tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    rows = Features(values, ["A1_ang", "A1_mix"], np.zeros(2, np.uint8), ["A1", "A1"], *np.zeros((2, 2)), np.ones(2, int))
    write_features(results / "features/layers.zarr", rows, MADE, dimensions=("clip", "layer", "feature"))
    store = open_store(results / "features/layers.zarr")
    assert describe(store)["dimensions"] == {"clip": 2, "layer": 2, "feature": 3}
    assert describe_clip(store, "A1_mix")["embedding"]["first"] == [6, 7, 8, 9, 10, 11]
    export(store, tmp_path / "layers.csv")
    assert pd.read_csv(tmp_path / "layers.csv")["feature_1_2"].tolist() == [5, 11]
    plot(store, tmp_path / "layers.png", heatmap=True)
    assert (tmp_path / "layers.png").stat().st_size > 1000


def test_other_kinds_have_the_forms_that_suit_them(results, tmp_path):
    export(open_store(results / "probabilities/w/mlp/fold0.zarr"), tmp_path / "p.csv")
    assert pd.read_csv(tmp_path / "p.csv").loc[1, ["split", "probability_ang"]].tolist() == ["scored", 0.5]
    export(open_store(results / "media/track/A1.h5"), tmp_path / "t.csv")
    track = pd.read_csv(tmp_path / "t.csv")
    assert track.groupby("clip").size().to_dict() == {"A1_ang": 6, "A1_mix": 6, "A1_none": 1}
    assert track.loc[2, "detected"] in (False, "False")
    export(open_store(results / "heads/w/mlp/fold0.safetensors"), tmp_path / "h.npz")
    assert np.load(tmp_path / "h.npz")["seed1.0.weight"].tolist() == [[1, 0, 0], [0, 1, 0]]
    export(open_store(results / "media/track/A1.h5"), tmp_path / "t.npz")
    assert np.load(tmp_path / "t.npz")["A1_mix/boxes"].shape == (6, 4)


@pytest.mark.parametrize("path", ["features/w.zarr", "media/faces/A1.h5", "media/audio/A1", "heads/w/mlp/fold0.safetensors"])
def test_a_zip_can_be_opened_elsewhere(results, tmp_path, path):
    store = open_store(results / path)
    export(store, tmp_path / "w.zip")
    with zipfile.ZipFile(tmp_path / "w.zip") as archive:
        archive.extractall(tmp_path / "elsewhere")
    again = open_store(tmp_path / "elsewhere" / store.path.name)
    assert (again.kind, again.manifest, again.record) == (store.kind, store.manifest, store.record)
    assert json.loads((tmp_path / "elsewhere" / "provenance.json").read_text()) == store.attributes
    said = (tmp_path / "elsewhere" / "README.txt").read_text()
    assert ("It holds pictures of people: keep it as private as the videos." in said) == (store.kind == "faces")
    assert (f"Of {len(clips_of(store))} clips, {store.path.stem}.json holds the ids and statuses" in said) == (store.kind != "head")
    assert ("The .h5 file is HDF5 with a group for each clip; a folder has a file for each clip." in said) == (store.kind in ("faces", "audio"))
    if store.kind == "features":
        assert "xarray.open_zarr opens the store; named as `train` of an encoder of kind `provided`, this workflow takes its vectors elsewhere." in said
        assert read_features(again.path).clip == read_features(store.path).clip


@pytest.mark.parametrize("suffix", [".npz", ".csv", ".parquet", ".zip"])
def test_a_place_that_cannot_be_written_is_one_sentence(features, suffix):
    with pytest.raises(BadInput, match=rf"^/proc/out\{suffix} cannot be made of {features.path} \(.*/proc/out.*\); mend what the error names\.$"):
        export(features, Path(f"/proc/out{suffix}"))


def test_what_has_no_such_form_is_one_sentence(results, features, tmp_path):
    faces = open_store(results / "media/faces/A1.h5")
    unofficial = "--official writes features to an .npz file, not {0.kind} of {0.path} to {1}; leave it out."
    for store, name, official, sentence in (
        (faces, "f.csv", False, "{0.path} holds faces, which are no table; export them as .zip."),
        (faces, "f.npz", False, "{0.path} holds faces, which have no form as arrays; export them as .zip."),
        (features, "f.xlsx", False, "{1} does not say the format; let it end in one of .npz, .csv, .parquet, .zip."),
        (features, "f.csv", True, unofficial),
        (faces, "f.npz", True, unofficial),
        (features, "nowhere/f.csv", False, "{1.parent} is no folder; make it first."),
    ):
        with pytest.raises(BadInput) as refused:
            export(store, tmp_path / name, official)
        assert str(refused.value) == sentence.format(store, tmp_path / name)
