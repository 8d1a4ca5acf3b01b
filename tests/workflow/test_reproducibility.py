"""What no other test shows by a whole run: docs/decisions.md lists those that do."""

import json
import shutil

import pytest
from workflow.runs import Run
from workflow.test_mini import overlay

pytestmark = [pytest.mark.workflow, pytest.mark.soak]


def test_other_shards_give_the_same_gathered_stores_and_scores(mini_folder, finished, tmp_path):
    shutil.copytree(mini_folder / "data", tmp_path / "data")
    run = Run(tmp_path / "run", overlay(data={"buckets": 3}))
    run.snakemake("all", "media")
    made, before = run.digests(), finished.digests()
    shards = {name for name in made if "/shards/" in name or "/media/" in name}
    assert len(shards - before.keys()) >= 1
    kept = before.keys() & made.keys() - shards
    assert len(kept) >= 10
    assert {name: made[name] for name in kept} == {name: before[name] for name in kept}
    scores = [json.loads((folder / "results/fusion/all/scores.json").read_text()) for folder in (run.folder, finished.folder)]
    assert scores[0]["protocols"] == scores[1]["protocols"]
