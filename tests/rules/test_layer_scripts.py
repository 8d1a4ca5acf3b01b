"""The scripts of the layer curve: one pass for all layers, a head on each, and their scores beside each other."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from rules.test_classify_scripts import CFG, RECIPES
from rules.test_classify_scripts import data as classified  # noqa: F401  (a fixture)
from unit.features.shards import CLIPS, run_script, write_shard
from unit.features.test_wav2vec2 import checkpoint

import score_layers
import train_head
import train_layers
from blemore.features.weights import describe
from blemore.fusion.protocols import OutOfFold, evaluate_all
from blemore.stores import OK, Features, read_features, read_probabilities, write_features

RANGES = [[0, 1], [1, 3]]
LAYERS = ["0", "1", "2", "3", "0-1", "1-3"]
FUSION = {"resamples": {"count": 100, "seed": 1}, "thresholds": {"choice": "first", "strategy": "pooled"}}


@pytest.fixture(autouse=True)
def _restore_torch():
    yield
    torch.use_deterministic_algorithms(False)


def test_every_layer_and_range_is_what_an_extraction_of_its_own_gives(tmp_path):
    shard, folder = write_shard(tmp_path / "media"), checkpoint(tmp_path, "wavlm")
    settings = {"kind": "wavlm", "model": str(folder), "revision": "main", "segments": 2, "precision": "float32"}
    curve = run_script("embed_layers", settings, shard, tmp_path / "curve", described=describe(folder), curve={"ranges": RANGES})
    assert curve.embedding.shape == (len(CLIPS), len(LAYERS), 7 * 32)
    assert xr.open_zarr(tmp_path / "curve/x.zarr").attrs["layers"] == LAYERS
    assert xr.open_zarr(tmp_path / "curve/x.zarr")["embedding"].dims == ("clip", "layers", "feature")
    for name, layers in (("2", [2, 2]), ("0-1", [0, 1]), ("1-3", [1, 3])):
        alone = run_script("embed_wav2vec2", settings | {"layers": layers}, shard, tmp_path / name, described=describe(folder))
        assert curve.embedding[:, LAYERS.index(name)] == pytest.approx(alone.embedding, abs=1e-5, nan_ok=True)
        assert curve.status.tolist() == alone.status.tolist()
        assert curve.n_frames.tolist() == alone.n_frames.tolist()


@pytest.fixture
def shards(classified, tmp_path):  # noqa: F811
    """The features of `classified` as layer 1 of two shards, beside others."""
    features, noise = read_features(classified.store), np.random.default_rng(1)
    stores = []
    for number in (0, 1):
        rows = slice(number, None, 2)
        embedding = noise.normal(size=(len(features.clip[rows]), len(LAYERS), 4)).astype(np.float32)
        embedding[:, 1] = features.embedding[rows]
        embedding[features.status[rows] != OK] = np.nan
        stores.append(str(tmp_path / f"shard{number}.zarr"))
        part = Features(embedding, *(column[rows] for column in features[1:]))
        write_features(stores[-1], part, {"layers": LAYERS}, ("clip", "layers", "feature"))
    return stores


def trained(shards, sheet, folder, layers):
    output = SimpleNamespace(store=str(folder / f"layer{layers}.zarr"), manifest=str(folder / f"layer{layers}.json"))
    params = SimpleNamespace(cfg=CFG, code={}, recipe={"mlp_1024": RECIPES["mlp_1024"]}, limit={"max_failed_fraction": 0.1})
    inputs = SimpleNamespace(stores=shards, sheet=sheet)
    train_layers.main(SimpleNamespace(input=inputs, output=output, params=params, wildcards=SimpleNamespace(layers=layers)))
    return output.store


def test_each_clip_is_predicted_as_the_head_of_its_own_fold_does(classified, shards, tmp_path):  # noqa: F811
    rows = read_probabilities(trained(shards, classified.sheet, tmp_path, "1"))
    assert len(rows.clip) == 48
    assert set(rows.split) == {"scored"}
    found = dict(zip(rows.clip, rows.probability))
    for fold in ("0", "2"):
        paths = {name: str(tmp_path / f"fold{fold}.{name}") for name in ("zarr", "json", "safetensors", "history")}
        output = SimpleNamespace(store=paths["zarr"], manifest=paths["json"], head=paths["safetensors"], history=paths["history"])
        params = SimpleNamespace(cfg=CFG, code={}, recipe={"mlp_1024": RECIPES["mlp_1024"]})
        train_head.main(SimpleNamespace(input=classified, output=output, params=params, wildcards=SimpleNamespace(head="mlp_1024", fold=fold)))
        head = read_probabilities(output.store)
        for clip, split, probability in zip(head.clip, head.split, head.probability):
            if split == "scored":
                assert np.array_equal(found[clip], probability, equal_nan=True)


def test_scores_are_the_nested_ones_with_differences_to_the_reference(classified, shards, tmp_path):  # noqa: F811
    stores = [trained(shards, classified.sheet, tmp_path, layers) for layers in ("1", "0-1")]
    output = SimpleNamespace(table=str(tmp_path / "s.csv"), scores=str(tmp_path / "s.json"), figure=str(tmp_path / "s.svg"))
    params = SimpleNamespace(cfg=FUSION, classify={"early_stopping": "inner"}, code={}, encoder="wav2vec2", layers=["1", "0-1"], reference="0-1")
    score_layers.main(SimpleNamespace(input=SimpleNamespace(stores=stores, sheet=classified.sheet), output=output, params=params))
    table = pd.read_csv(output.table, dtype={"layers": str, "to": str}).set_index("layers")
    assert table.loc["1", "Score"] == pytest.approx(nested_score(stores[0], classified.sheet))
    assert (table["Score_low"] <= table["Score"]).all()
    assert (table["Score"] <= table["Score_high"]).all()
    assert table.loc["1", "difference"] == pytest.approx(table.loc["1", "Score"] - table.loc["0-1", "Score"])
    assert table.loc["0-1", ["difference", "difference_low", "difference_high"]].tolist() == [0, 0, 0]
    assert not table["uses_scored_fold"].any()
    with open(output.scores) as file:
        assert [row["layers"] for row in json.load(file)["rows"]] == ["1", "0-1"]
    with open(output.figure) as file:
        first = file.read()
    assert "<svg" in first
    score_layers.draw(output.figure, json.loads((tmp_path / "s.json").read_text())["rows"], "wav2vec2")
    assert (tmp_path / "s.svg").read_text() == first


def nested_score(store, sheet):
    """By the protocols of a whole ensemble."""
    from blemore.data.labels import percentages
    from blemore.data.sheet import read_checked_sheet
    from blemore.fusion.predictions import rows_of

    train = read_checked_sheet(sheet).query("split == 'train'")
    probability = rows_of(store, "scored", train["filename"].tolist())[np.newaxis]
    data = OutOfFold(probability, percentages(train), train["fold"].to_numpy(int), train["video_id"].to_numpy(str))
    evaluations, _ = evaluate_all(data, {"weights": {"method": "uniform"}, "thresholds": FUSION["thresholds"]}, False)
    return evaluations["nested"].block["pooled"]["Score"]
