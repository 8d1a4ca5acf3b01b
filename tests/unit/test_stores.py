import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from blemore.data.labels import EMOTIONS
from blemore.job import BadInput
from blemore.stores import (
    DECODE_ERROR,
    PARTIAL,
    Features,
    Probabilities,
    content_digest,
    manifest_path,
    provenance,
    read_attributes,
    read_features,
    read_manifest,
    read_probabilities,
    write_features,
    write_json,
    write_probabilities,
)


def features(n=70, width=5, **changes):
    generator = np.random.default_rng(0)
    made = Features(
        generator.normal(size=(n, width)).astype(np.float32),
        [f"A1_clip{index}" for index in range(n)],
        np.zeros(n, np.uint8),
        ["A1"] * n,
        np.zeros(n),
        np.ones(n),
        np.full(n, 30),
    )
    return made._replace(**changes)


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "wav2vec2.zarr"
    write_features(path, features(), {"settings": {"layers": [6, 12]}})
    return path


@pytest.mark.parametrize(("store", "manifest"), [("a/x.zarr", "a/x.json"), ("a/x.h5", "a/x.json"), ("a/A1.2", "a/A1.2.json")])
def test_the_manifest_lies_beside_the_store(store, manifest):
    assert str(manifest_path(store)) == manifest


def test_what_was_written_is_read(store):
    read, written = read_features(store), features()
    assert read.clip == written.clip
    assert read.actor == written.actor
    for field in ("embedding", "status", "start_s", "end_s", "n_frames"):
        assert np.array_equal(getattr(read, field), getattr(written, field))


def test_embeddings_ids_and_status_come_first(store):
    embedding, clip, status, *_ = read_features(store)
    assert (embedding.shape, len(clip), status.dtype) == ((70, 5), 70, np.uint8)


def test_xarray_opens_it_without_a_warning(store):
    (store / ".snakemake_timestamp").touch()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = xr.open_zarr(store)
    assert dataset["embedding"].dims == ("clip", "feature")
    assert dataset.sel(clip="A1_clip3")["embedding"].values == pytest.approx(features().embedding[3])


def test_the_store_says_what_a_status_means(store):
    attributes = xr.open_zarr(store)["status"].attrs
    assert attributes["flag_meanings"].split()[2] == "no_audio"
    assert attributes["flag_values"] == list(range(8))


def test_the_same_content_gives_the_same_manifest(store, tmp_path):
    other = tmp_path / "other.zarr"
    write_features(other, features(), {"settings": "another"})
    assert manifest_path(other).read_bytes() == manifest_path(store).read_bytes()


def test_attributes_say_what_determined_the_numbers(store):
    assert read_attributes(store) == {"settings": {"layers": [6, 12]}}


def test_the_manifest_counts_statuses(tmp_path):
    status = np.zeros(70, np.uint8)
    status[0], status[1] = DECODE_ERROR, PARTIAL
    embedding = features().embedding.copy()
    embedding[0] = np.nan
    write_features(tmp_path / "a.zarr", features(status=status, embedding=embedding), {})
    assert read_manifest(tmp_path / "a.zarr")["status_counts"] == {"ok": 68, "decode_error": 1, "partial": 1}


def damage_chunk(store):
    chunk = next(path for path in sorted((store / "embedding" / "c").rglob("*")) if path.is_file())
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)


def delete_chunk(store):
    next(path for path in sorted((store / "embedding" / "c").rglob("*")) if path.is_file()).unlink()


def delete_metadata(store):
    (store / "zarr.json").unlink()


def change_manifest(store):
    content = read_manifest(store)
    write_json(manifest_path(store), content | {"content_sha256": "0" * 64})


DAMAGED = r"wav2vec2\.zarr is damaged \(.*: .*\); delete it and its manifest and run again\.$"
ANOTHER = r"wav2vec2\.zarr does not hold what its manifest .*wav2vec2\.json says; delete both and run again\.$"


@pytest.mark.parametrize(("harm", "sentence"), [(damage_chunk, DAMAGED), (delete_chunk, ANOTHER), (delete_metadata, DAMAGED), (change_manifest, ANOTHER)])
def test_a_store_that_does_not_match_its_manifest_is_refused(store, harm, sentence):
    harm(store)
    with pytest.raises(BadInput, match=sentence):
        read_features(store)


def test_a_store_without_a_manifest_is_not_whole(store):
    manifest_path(store).unlink()
    with pytest.raises(BadInput, match=r"wav2vec2\.json cannot be read \(.*\), so .*wav2vec2\.zarr is not known to be whole; delete both and run again\.$"):
        read_features(store)


def test_writing_again_takes_the_old_manifest_away_first(store, monkeypatch):
    monkeypatch.setattr("blemore.stores.zarr.open_group", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_features(store, features(), {})
    assert not manifest_path(store).exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"clip": ["same"] * 70}, r"a\.zarr: fields of different lengths or repeated clip ids$"),
        ({"status": np.full(70, DECODE_ERROR, np.uint8)}, r"a\.zarr: rows that are ok must be finite, all others NaN$"),
        ({"embedding": np.full((70, 5), np.nan, np.float32)}, r"a\.zarr: rows that are ok must be finite, all others NaN$"),
        ({"actor": ["A1"]}, r"a\.zarr: fields of different lengths or repeated clip ids$"),
    ],
)
def test_what_cannot_be_right_is_not_written(tmp_path, wrong, said):
    with pytest.raises(ValueError, match=said):
        write_features(tmp_path / "a.zarr", features(**wrong), {})
    assert not (tmp_path / "a.json").exists()


def test_probabilities_are_read_as_written(tmp_path):
    probability = np.full((2, 6), 1 / 6, np.float32)
    probability[1] = np.nan
    rows = Probabilities(probability, ["a", "b"], ["train", "scored"], np.log(probability))
    write_probabilities(tmp_path / "fold0.zarr", rows, EMOTIONS, {})
    read = read_probabilities(tmp_path / "fold0.zarr")
    assert (read.clip, read.split) == (["a", "b"], ["train", "scored"])
    assert np.array_equal(read.probability, probability, equal_nan=True)
    assert xr.open_zarr(tmp_path / "fold0.zarr")["emotion"].values.tolist() == list(EMOTIONS)


def test_the_digest_ignores_byte_order_and_the_bits_of_nan():
    values = np.array([1.5, np.nan], "<f4")
    other = np.array([1.5, -np.float32(np.nan)], ">f4")
    assert content_digest({"x": values}) == content_digest({"x": other})


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_different_strings_have_different_digests(one, other):
    assert (content_digest({"x": one}) == content_digest({"x": other})) == (one == other)


@pytest.mark.parametrize("changed", [{"y": np.arange(3)}, {"x": np.arange(4)}, {"x": np.arange(3.0)}, {"x": np.arange(3)[:, None]}])
def test_name_value_type_and_shape_count(changed):
    assert content_digest({"x": np.arange(3)}) != content_digest(changed)


def test_json_is_whole_or_absent(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": 2})
    monkeypatch.setattr("os.replace", lambda *args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_json(path, {"c": 3})
    assert json.loads(path.read_text()) == {"a": 2, "b": 1}


def test_provenance_keeps_content_and_no_path(store):
    params = SimpleNamespace(cfg={"layers": [6, 12]}, code={"a.py": "0123"})
    record = provenance(params, {"audio": store}, ("numpy",), seed=1)
    assert record["inputs"] == {"audio": read_manifest(store)["content_sha256"]}
    assert record["packages"] == {"numpy": np.__version__}
    assert (record["settings"], record["code"], record["seed"]) == ({"layers": [6, 12]}, {"a.py": "0123"}, 1)
