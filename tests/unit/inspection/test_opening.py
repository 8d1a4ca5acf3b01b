import json
import shutil

import pytest

from blemore.inspection.description import as_text, describe, describe_clip
from blemore.inspection.opening import KINDS, open_store
from blemore.job import BadInput

PATHS = {
    "features": "features/w.zarr",
    "probabilities": "probabilities/w/mlp/fold0.zarr",
    "track": "media/track/A1.h5",
    "faces": "media/faces/A1.h5",
    "body": "media/body/A1.h5",
    "audio": "media/audio/A1",
    "head": "heads/w/mlp/fold0.safetensors",
    "weights": "weights/w.json",
}


@pytest.mark.parametrize("kind", PATHS)
def test_every_kind_is_recognised_described_and_plain_json(results, kind):
    store = open_store(results / PATHS[kind])
    assert store.kind == kind
    described = json.loads(json.dumps(describe(store), allow_nan=False))
    assert described["kind"] == f"{kind}: {KINDS[kind]}"
    assert as_text(described).startswith(f"store: {store.path}")


@pytest.mark.parametrize("kind", ["features", "track", "audio", "probabilities"])
def test_the_manifest_stands_for_its_store(results, kind):
    path = results / PATHS[kind]
    assert open_store(path.parent / f"{path.name.split('.')[0]}.json").path == path


def test_features_are_described_by_what_was_written(results):
    described = describe(open_store(results / "features/w.zarr"))
    assert (described["dimensions"], described["status"], described["actors"]) == ({"clip": 3, "feature": 4}, {"ok": 2, "no_face": 1}, 1)
    numbers = described["arrays"]["embedding"]
    assert numbers == {"type": "float32", "shape": [3, 4], "min": 0.0, "max": 49.0, "mean": 17.5, "not finite": 4}
    assert described["made with"] == {
        "settings": {"layers": [6, 12]},
        "packages": {"numpy": "2"},
        "inputs": {"audio": "c0ffee"},
        "code": "2 modules",
    }
    assert described["run"] == {"rule": "gather_features", "seconds": 1.5}


def test_a_shard_is_summed_over_its_clips(results):
    described = describe(open_store(results / "media/track/A1.h5"))
    assert described["status"] == {"ok": 2, "no_face": 1}
    assert described["arrays"]["detected"] == {"type": "bool", "shape": [12], "true": 10}
    assert described["arrays"]["landmarks"]["not finite"] == 2 * 5 * 2
    assert describe(open_store(results / "media/faces/A1.h5"))["arrays"]["jpeg"]["pictures"] == 10
    audio = describe(open_store(results / "media/audio/A1"))
    assert (audio["files"], audio["status"], audio["duration_s"]["max"]) == (1, {"ok": 1, "no_audio": 2}, 0.6)


def test_a_head_says_which_epoch_was_kept_and_what_its_predictions_were_made_with(results):
    described = describe(open_store(results / "heads/w/mlp/fold0.safetensors"))
    assert described["seed 1"] == {"epoch kept": 2, "epochs": 3}
    assert described["tensors"]["seed1.0.weight"]["shape"] == [2, 3]
    assert described["made with"]["recipe"] == {"kind": "mlp"}


def test_one_clip(results):
    clip = describe_clip(open_store(results / "features/w.zarr"), "A1_mix")
    assert (clip["status"], clip["actor"], clip["embedding"]["first"]) == ("ok", "A1", [16.0, 25.0, 36.0, 49.0])
    assert describe_clip(open_store(results / "features/w.zarr"), "A1_none")["status"] == "no_face"
    predicted = describe_clip(open_store(results / PATHS["probabilities"]), "A1_mix")
    assert (predicted["split"], predicted["probability"]["ang"]) == ("scored", 0.5)
    assert describe_clip(open_store(results / "media/track/A1.h5"), "A1_ang")["arrays"]["detected"]["true"] == 5
    assert describe_clip(open_store(results / "media/audio/A1"), "A1_mix")["status"] == "no_audio"


def test_what_is_wrong_is_one_sentence(results):
    store = open_store(results / "features/w.zarr")
    with pytest.raises(BadInput, match=r"w\.zarr has no clip A1_mux: did you mean A1_mix\?$"):
        describe_clip(store, "A1_mux")
    (results / "features" / "w.zarr" / "embedding" / "c" / "0" / "0").write_bytes(b"damage")
    with pytest.raises(BadInput, match=r"w\.zarr is damaged \(.*\); delete it and its manifest and run again\.$"):
        describe(store)
    (results / "features" / "w.json").unlink()
    with pytest.raises(BadInput, match=r"w\.json cannot be read \(.*\), so .*w\.zarr is not known to be whole; delete both and run again\.$"):
        open_store(store.path)
    shutil.rmtree(results / "media/audio/A1")
    with pytest.raises(BadInput, match=r"A1\.json describes a store that is not there; delete it and run again\.$"):
        open_store(results / "media/audio/A1.json")
    (results / "damaged.safetensors").write_bytes(b"damage")
    for path, sentence in (
        ("absent.zarr", r"absent\.zarr is not there; `why_stale\.py .*absent\.zarr` says whether the workflow would make it\.$"),
        ("data/sheet.csv", r"sheet\.csv is none of features, .*; name a store under results/, or ask why_stale\.py what made another file\.$"),
        ("damaged.safetensors", r"damaged\.safetensors is damaged \(.*\); delete it and run again\.$"),
    ):
        with pytest.raises(BadInput, match=sentence):
            open_store(results / path)


def test_a_shard_that_lost_a_clip_is_refused(results):
    manifest = results / "media/track/A1.json"
    manifest.write_text(manifest.read_text().replace("A1_ang", "A9_ang"))
    with pytest.raises(BadInput, match=r"A1\.h5 does not hold the clip A9_ang as its manifest says; delete both and run again\.$"):
        describe(open_store(results / "media/track/A1.h5"))


def test_names_that_are_many_are_not_all_printed(results):
    manifest = json.loads((results / "features/w.json").read_text())
    manifest["clips"] = [f"clip{number}" for number in range(6000)]
    (results / "features/w.json").write_text(json.dumps(manifest))
    with pytest.raises(BadInput, match=r"w\.zarr has no clip x: name one of 6000 clips; its manifest lists them\.$"):
        describe_clip(open_store(results / "features/w.zarr"), "x")
