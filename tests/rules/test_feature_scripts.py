"""Each script of the features stage on a shard of five clips: two good, one short, one without sound, one missing."""

import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import generate
import numpy as np
import pytest
import soundfile

import concatenate_features
import embed_prosody
import embed_wav2vec2
import fetch_weights
import gather_features
import import_provided
from blemore.job import BadInput
from blemore.stores import DECODE_ERROR, MISSING, NO_AUDIO, OK, TOO_SHORT, read_attributes, read_features, write_manifest

RATE = 16000
CLIPS = {"A1_good": OK, "A1_loud": OK, "A1_short": OK, "A1_mute": NO_AUDIO, "A1_gone": MISSING}
STATUS_AFTER = [OK, OK, TOO_SHORT, NO_AUDIO, MISSING]


@pytest.fixture(scope="module")
def media(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("media") / "A1"
    folder.mkdir()
    generator = np.random.default_rng(0)
    durations = {"A1_good": 1.0, "A1_loud": 0.8, "A1_short": 0.01}
    for clip, seconds in durations.items():
        soundfile.write(folder / f"{clip}.flac", generator.normal(0, 0.1, int(seconds * RATE)), RATE, subtype="PCM_24")
    names = dict(zip(CLIPS, ["ok", "ok", "ok", "no_audio", "missing"]))
    write_manifest(folder, "0" * 64, list(CLIPS), CLIPS.values(), status=names, duration_s=durations)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    generate.write_tiny_wav2vec2(folder, 1)
    return folder


def outputs(folder: Path, name: str) -> SimpleNamespace:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return SimpleNamespace(store=str(folder / f"{name}.zarr"), manifest=str(folder / f"{name}.json"))


def params(**fields) -> SimpleNamespace:
    return SimpleNamespace(code={"script.py": "0123"}, actors=dict.fromkeys(CLIPS, "A1"), **fields)


def embed(media, tiny, folder, **changes):
    folder.mkdir(exist_ok=True)
    fetched = SimpleNamespace(output=SimpleNamespace(description=str(folder / "weights.json")))
    cfg = {"kind": "wav2vec2", "layers": [6, 12], "model": str(tiny), "precision": "float32", "revision": "main", "segments": 1} | changes
    fetched.params = params(cfg=cfg, runtime={"weights": "weights"}, file=None, needed=None, hub_offline="0")
    fetch_weights.main(fetched)
    output = outputs(folder, "wav2vec2")
    inputs = SimpleNamespace(audio=str(media), weights=fetched.output.description)
    embed_wav2vec2.main(SimpleNamespace(input=inputs, output=output, params=params(cfg=cfg, runtime={"device": "cpu", "weights": "weights"})))
    return output.store


@pytest.mark.parametrize("asked", ["0", "1"])
def test_fetching_obeys_what_the_user_says_of_the_hub_and_not_the_prefix_of_all_jobs(tiny, tmp_path, monkeypatch, asked):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    job = SimpleNamespace(output=SimpleNamespace(description=str(tmp_path / "weights.json")))
    job.params = params(cfg={"model": str(tiny), "revision": "main"}, runtime={"weights": "weights"}, file=None, needed=None, hub_offline=asked)
    fetch_weights.main(job)
    assert os.environ["HF_HUB_OFFLINE"] == asked


def test_wav2vec2_gives_every_clip_a_row_and_a_status(media, tiny, tmp_path):
    store = embed(media, tiny, tmp_path)
    features = read_features(store)
    assert features.clip == list(CLIPS)
    assert features.status.tolist() == STATUS_AFTER
    assert features.embedding.shape == (5, 7 * json.loads((tiny / "config.json").read_text())["hidden_size"])
    assert features.n_frames.tolist() == [49, 39, 0, 0, 0]
    assert features.end_s[:2].tolist() == [1.0, 0.8]
    assert np.isnan(features.embedding[2:]).all()


def test_wav2vec2_records_what_made_it(media, tiny, tmp_path):
    record = read_attributes(embed(media, tiny, tmp_path))
    assert record["settings"]["layers"] == [6, 12]
    assert len(record["weights"]["model.safetensors"]) == 64
    assert set(record["packages"]) == {"numpy", "torch", "transformers"}
    assert record["inputs"] == {"audio": "0" * 64}
    assert str(media) not in json.dumps(record)


def test_other_layers_and_segments_are_other_numbers_of_the_same_width(media, tiny, tmp_path):
    stores = [embed(media, tiny, tmp_path / name, **changes) for name, changes in [("a", {}), ("b", {"layers": [1, 3]}), ("c", {"segments": 3})]]
    rows = [read_features(store).embedding[0] for store in stores]
    assert len({row.shape for row in rows}) == 1
    assert not np.allclose(rows[0], rows[1], atol=1e-3)
    assert not np.allclose(rows[0], rows[2], atol=1e-3)


def test_a_clip_does_not_depend_on_its_neighbours(media, tiny, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "A1_loud.flac").write_bytes((media / "A1_loud.flac").read_bytes())
    write_manifest(alone, "1" * 64, ["A1_loud"], [OK], status={"A1_loud": "ok"}, duration_s={"A1_loud": 0.8})
    together, single = read_features(embed(media, tiny, tmp_path / "x")), read_features(embed(alone, tiny, tmp_path / "y"))
    assert np.array_equal(together.embedding[1], single.embedding[0])


def test_prosody_gives_every_clip_a_row_and_a_status(media, tmp_path):
    output = outputs(tmp_path, "prosody")
    cfg = {"f0_max_hz": 1000.0, "f0_min_hz": 65.0, "hop_s": 0.01, "segments": 1}
    embed_prosody.main(SimpleNamespace(input=SimpleNamespace(audio=str(media)), output=output, params=params(cfg=cfg, audio={"sample_rate_hz": RATE})))
    features = read_features(output.store)
    assert features.status.tolist() == STATUS_AFTER
    assert features.embedding.shape == (5, 42)


def test_shards_are_gathered_and_keep_what_made_them(media, tiny, tmp_path):
    store, output = embed(media, tiny, tmp_path), outputs(tmp_path, "gathered")
    job = SimpleNamespace(input=SimpleNamespace(stores=[store]), output=output, params=params(cfg={"max_failed_fraction": 0.5}))
    gather_features.main(job)
    assert read_features(output.store).clip == sorted(CLIPS)
    assert read_attributes(output.store)["extraction"]["settings"]["layers"] == [6, 12]
    job.params = params(cfg={"max_failed_fraction": 0.1})
    with pytest.raises(BadInput, match=r"^1 of 5 clips failed \(1 missing; first: A1_gone\), more than data\.max_failed_fraction 0\.1 allows: "):
        gather_features.main(job)


def test_provided_arrays_go_straight_into_a_gathered_store(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 3)))
    (tmp_path / "b.npy").write_bytes(b"damaged")
    clips = {"a": (str(tmp_path / "a.npy"), 10, "A1"), "b": (str(tmp_path / "b.npy"), 7, "A1"), "c": (None, None, "")}
    output = outputs(tmp_path, "imagebind")
    given = SimpleNamespace(cfg={"columns": None, "test": None, "train": "ImageBind", "width": 3}, limit={"max_failed_fraction": 1.0}, code={}, clips=clips)
    import_provided.main(SimpleNamespace(output=output, params=given))
    features = read_features(output.store)
    assert features.status.tolist() == [OK, DECODE_ERROR, MISSING]
    assert features.actor == ["A1", "A1", ""]
    assert features.embedding[0, :6].tolist() == [1, 1, 1, 0, 0, 0]


def test_joined_encoders_keep_what_made_each(media, tiny, tmp_path):
    speech, joined = embed(media, tiny, tmp_path), outputs(tmp_path, "two")
    again = embed(media, tiny, tmp_path / "again", layers=[1, 3])
    job = SimpleNamespace(input=SimpleNamespace(stores=[speech, again]), output=joined, params=params(cfg={"two": ["wav2vec2", "lower"]}))
    concatenate_features.main(job)
    features, record = read_features(joined.store), read_attributes(joined.store)
    one, other = read_features(speech), read_features(again)
    assert features.clip == sorted(CLIPS)
    assert np.array_equal(features.embedding[features.clip.index("A1_good")], np.concatenate([one.embedding[0], other.embedding[0]]))
    assert features.status[features.clip.index("A1_mute")] == NO_AUDIO
    assert [record["parts"][name]["settings"]["layers"] for name in ("wav2vec2", "lower")] == [[6, 12], [1, 3]]
    assert record["settings"] == {"two": ["wav2vec2", "lower"]}
    assert len(record["inputs"]["lower"]) == 64


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "A1_good.flac").unlink(), r"A1_good\.flac cannot be read \(.*\); delete .*A1 and its manifest and run again\.$"),
        (lambda folder: (folder / "A1_good.flac").write_bytes(b"no sound"), r"A1_good\.flac cannot be read \(.*\); delete "),
        (
            lambda folder: shutil.copy(folder / "A1_loud.flac", folder / "A1_good.flac"),
            r"A1_good\.flac lasts 0\.800 s, not 1\.000 s; delete .*A1 and its manifest and run again\.$",
        ),
        (
            lambda folder: soundfile.write(folder / "A1_good.flac", np.zeros(8000), 8000),
            r"A1_good\.flac has 8000 samples a second, but 16000 are needed; set media\.audio\.sample_rate_hz to that\.",
        ),
    ],
)
def test_sound_that_is_not_what_its_manifest_says_is_refused(media, tiny, tmp_path, harm, said):
    shutil.copytree(media, tmp_path / "A1")
    shutil.copy(f"{media}.json", tmp_path)
    harm(tmp_path / "A1")
    with pytest.raises(BadInput, match=said):
        embed(tmp_path / "A1", tiny, tmp_path / "out")
