"""A damaged store is found, said with its remedy, and made again alone."""

import shutil

import pytest
from workflow.runs import rules

pytestmark = pytest.mark.workflow


def test_a_damaged_store_is_named_and_made_again_alone(mini):
    before = mini.digests()
    heads = [path.relative_to(mini.folder) for path in mini.folder.glob("results/heads/*/*/*.safetensors")]
    checkpoints = list(mini.folder.glob("results/finetune/*/*"))
    total = (
        len(before)
        + len(heads)
        + len(checkpoints)
        + sum(len(list(mini.folder.glob(f"results/{place}"))) for place in ("weights/*.json", "fusion/*/scores.json"))
    )
    assert heads
    assert checkpoints
    assert f"{total} of {total} stores, scores, heads, checkpoints and weights are whole." in mini.snakemake("validate")
    store = mini.folder / "results/features/wav2vec2.zarr"
    next(path for path in (store / "embedding").rglob("0") if path.is_file()).unlink()
    said = mini.snakemake("validate", expect=1)
    assert "results/features/wav2vec2.zarr does not hold what its manifest results/features/wav2vec2.json says; delete both and run again." in said
    assert f"{total - 1} of {total} stores, scores, heads, checkpoints and weights are whole." in said
    store.rename(mini.folder / "damaged.zarr")
    store.with_suffix(".json").unlink()
    assert rules(mini.stale("wav2vec2")) == {"gather_features", "wav2vec2"}
    mini.snakemake("wav2vec2")
    assert mini.digests() == before
    assert rules(mini.stale("all", "media")) == set()


@pytest.mark.soak
def test_three_stores_with_a_flipped_bit_are_named_and_made_again_alone(mini):
    """Face crops of a shard, features of a shard, and predictions."""
    before, results = mini.digests(), mini.folder / "results"
    faces, shard = min(results.glob("media/faces/*.h5")), min(results.glob("features/shards/wav2vec2/*.zarr"))
    predictions = results / "probabilities/imagebind/mlp_1024/fold0.zarr"
    for store in (faces, shard / "embedding/c/0/0", predictions / "probability/c/0/0"):
        whole = store.read_bytes()
        place = whole.index(b"\xff\xd8\xff") + 200 if store == faces else len(whole) // 2  # in a JPEG, in a chunk
        store.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
    said = mini.snakemake("validate", expect=1)
    damaged = (faces, shard, predictions)
    sentences = {line for line in said.splitlines() if "again" in line}  # a local rule's lines come twice, from its log too
    assert all(any(str(store.relative_to(mini.folder)) in line for line in sentences) for store in damaged)
    assert len(sentences) == 3
    for store in damaged:
        store.with_suffix(".json").unlink()
        if store.is_dir():
            shutil.rmtree(store)
        else:
            store.unlink()
    targets = [str(store.with_suffix(".json").relative_to(mini.folder)) for store in damaged]
    assert sorted(job.rule for job in mini.stale(*targets)) == ["crop_faces", "embed_wav2vec2", "train_head"]
    mini.snakemake(*targets)
    assert mini.digests() == before
    assert rules(mini.stale("all", "media")) == set()
