"""Stores that Snakemake has no record of: `.snakemake` deleted, or copied from another folder."""

import shutil

import pytest
from workflow.runs import rules
from workflow.test_mini import overlay

pytestmark = pytest.mark.workflow


def test_without_records_equal_settings_are_used_and_others_refused(mini):
    shutil.rmtree(mini.folder / ".snakemake")
    assert rules(mini.stale("all", "media")) == set()
    mini.configure(overlay(features={"wav2vec2": {"layers": [1, 5]}}, classify={"heads": {"mlp_512": {"epochs": 9}}}))
    refused = mini.snakemake("--dry-run", expect=1)
    assert "results/features/wav2vec2.zarr has no record" in refused
    assert "extraction.layers: [6, 12] -> [1, 5]" in refused
    assert "recipe.epochs: 10 -> 9" in refused
    assert "imagebind.zarr" not in refused
    mini.configure(overlay(features={"wav2vec2": {"layers": [1, 5]}}, runtime={"accept_foreign": True}))
    assert rules(mini.stale("all", "media")) == set()


def test_a_gathered_store_from_elsewhere_is_used_only_if_its_settings_are_todays(mini):
    for place in (".snakemake", "results"):
        (mini.folder / place).rename(mini.folder / f"{place}_elsewhere")
    (mini.folder / "results" / "features").mkdir(parents=True)
    for name in ("wav2vec2.json", "imagebind.json"):
        shutil.copy(mini.folder / "results_elsewhere" / "features" / name, mini.folder / "results" / "features")
    for name in ("wav2vec2.zarr", "imagebind.zarr"):
        shutil.copytree(mini.folder / "results_elsewhere" / "features" / name, mini.folder / "results" / "features" / name)
    mini.configure(overlay(encoders=["wav2vec2", "imagebind"]))
    assert not rules(mini.stale()) & {"extract_audio", "embed_wav2vec2", "gather_features", "import_provided"}
    mini.configure(overlay(encoders=["wav2vec2", "imagebind"], features={"wav2vec2": {"segments": 3}}))
    assert "extraction.segments" in mini.snakemake("--dry-run", expect=1)
