import json
import shutil
from pathlib import Path

import pytest
from snakemake.persistence.file import FilePersistence

from blemore import foreign
from blemore.job import BadInput


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "wav2vec2.zarr"
    path.mkdir()
    attributes = {"settings": {"limit": 0.02}, "extraction": {"settings": {"layers": [6, 12]}, "code": {"a.py": "0"}}, "packages": {"numpy": "2"}}
    (path / "zarr.json").write_text(json.dumps({"attributes": attributes}))
    path.with_suffix(".json").write_text("{}")
    return str(path)


@pytest.mark.parametrize("kind", ["metadata", "incomplete"])
@pytest.mark.parametrize("length", [3, 200, 600])
def test_a_store_with_a_record_is_not_foreign(tmp_path, monkeypatch, kind, length):
    monkeypatch.chdir(tmp_path)
    store = "/".join(["d" * 97] * (length // 98) + ["x.zarr"])
    (tmp_path / store).mkdir(parents=True)
    (tmp_path / store).with_suffix(".json").write_text("{}")
    records = tmp_path / "records"
    assert foreign.is_foreign(store, records)
    (records / kind).mkdir(parents=True)
    theirs = FilePersistence.__new__(FilePersistence)
    theirs._max_len = None
    record = tmp_path / theirs._record_path(str(records / kind), store)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text("{}")
    assert not foreign.is_foreign(store, records)


def test_an_unfinished_store_is_not_foreign(tmp_path):
    (tmp_path / "x.zarr").mkdir()
    assert not foreign.is_foreign(str(tmp_path / "x.zarr"), tmp_path / "records")


def test_equal_settings_are_used(store):
    foreign.check({store: {"settings": {"limit": 0.02}, "extraction": {"layers": [6, 12]}}})


def test_other_settings_are_refused_by_name(store):
    with pytest.raises(BadInput) as refused:
        foreign.check({store: {"settings": {"limit": 0.1}, "extraction": {"layers": [1, 5]}}})
    assert str(refused.value) == (
        f"{store} has no record in .snakemake and was made with other settings (extraction.layers: [6, 12] -> [1, 5]; settings.limit: 0.02 -> 0.1); "
        "set them as they were, delete the store and its manifest to make it again, or set runtime.accept_foreign to true to use it as it is."
    )


def test_all_stores_that_were_made_otherwise_are_named_at_once(store):
    other = Path(store).with_name("other.zarr")
    shutil.copytree(store, other)
    with pytest.raises(BadInput, match=r"^2 problems in stores that came from elsewhere:\n"):
        foreign.check({store: {}, str(other): {}})


@pytest.mark.parametrize(
    ("stored", "today", "expected"),
    [
        ({"a": 1, "b": {"c": 2}}, {"b": {"c": 2}, "a": 1}, []),
        ({"a": {"b": {"c": 2}}}, {"a": {"b": {"c": 3}}}, ["a.b.c: 2 -> 3"]),
        ({"a": 1}, {}, ['a: 1 -> "absent"']),
        ({}, {"a": None}, ['a: "absent" -> null']),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a: [1, 2] -> [2, 1]"]),
        ({"a": {"b": 1}}, {"a": 1}, ['a: {"b": 1} -> 1']),
    ],
)
def test_differences_are_named_at_their_depth(stored, today, expected):
    assert list(foreign.differences(stored, today)) == expected


@pytest.mark.parametrize("content", [None, "", "{}", "not json"])
def test_a_store_that_does_not_say_what_made_it_is_refused(store, content):
    described = Path(store) / "zarr.json"
    described.unlink() if content is None else described.write_text(content)
    with pytest.raises(BadInput, match=r"wav2vec2\.zarr has a manifest, but no zarr\.json that says what made it; delete both, and they are made again\.$"):
        foreign.check({store: {}})
