"""A user's own program as an encoder, and what of a finished run changes with it."""

import shutil

import pytest
from workflow.runs import REPOSITORY, rules
from workflow.test_mini import overlay

pytestmark = pytest.mark.workflow
OWN = {"kind": "external", "command": None, "function": "adapter.py:embed", "inputs": ["audio"], "files": [], "width": 8, "timeout_s": 60.0}


def test_a_program_that_alone_hears_is_run_and_its_edit_seen_but_not_its_loss(mini):
    adapter = mini.folder / "adapter.py"
    shutil.copy(REPOSITORY / "tests/unit/features/adapter.py", adapter)
    shutil.rmtree(mini.folder / "results/media/audio")
    mini.configure(overlay(encoders=["own"], features={"own": OWN}))
    mini.snakemake("all")
    assert mini.manifest("features/own")["shape"] == [12, 56]
    assert (mini.folder / "results/report/index.html").read_text().count('"spectrogram":"') > 0
    assert rules(mini.stale("all")) == set()
    code = adapter.read_text()
    adapter.write_text(code.replace("[:, :8]", "[:, 1:9]"))
    assert {"embed_external", "gather_features"} <= rules(mini.stale("all"))
    adapter.unlink()
    assert "ready" in mini.snakemake("check")
    assert rules(mini.stale("all")) == set()
    video = next((mini.folder.parent / "data").rglob("A101*.mov"))
    video.write_bytes(video.read_bytes() + bytes(8))
    assert {"embed_external"} <= rules(mini.stale("all"))
    shutil.rmtree(mini.folder / ".snakemake")  # so that its stores are compared with the settings of today
    assert rules(mini.stale("all")) == set()
