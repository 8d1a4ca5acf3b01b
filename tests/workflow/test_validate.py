"""A damaged store is found, said with its remedy, and made again alone."""

import pytest
from workflow.runs import rules

pytestmark = pytest.mark.workflow


def test_a_damaged_store_is_named_and_made_again_alone(mini):
    before = mini.digests()
    assert f"{len(before)} of {len(before)} stores are whole." in mini.snakemake("validate")
    store = mini.folder / "results/features/wav2vec2.zarr"
    next(path for path in (store / "embedding").rglob("0") if path.is_file()).unlink()
    said = mini.snakemake("validate", expect=1)
    assert "results/features/wav2vec2.zarr does not hold what its manifest results/features/wav2vec2.json says; delete both and run again." in said
    assert f"{len(before) - 1} of {len(before)} stores are whole." in said
    store.rename(mini.folder / "damaged.zarr")
    store.with_suffix(".json").unlink()
    assert rules(mini.stale("wav2vec2")) == {"gather_features", "wav2vec2"}
    mini.snakemake("wav2vec2")
    assert mini.digests() == before
    assert rules(mini.stale("all", "media")) == set()
