"""The commands for people, on a finished run: why does this run again, and what made it."""

import json
import subprocess
import sys
from itertools import pairwise

import pytest
from workflow.runs import REPOSITORY
from workflow.test_mini import overlay
from workflow.test_staleness import checkout  # noqa: F401

pytestmark = pytest.mark.workflow


def command(scripts, script, run, *arguments):
    """Standard output of one of the commands in the folder of a run, with its configuration."""
    line = [sys.executable, str(scripts / "workflow" / "scripts" / script), *arguments, "--configfile", "overlay.yaml"]
    done = subprocess.run(line, cwd=run.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_cause_is_named_and_what_made_a_result(mini, checkout):  # noqa: F811
    assert command(REPOSITORY, "why_stale.py", mini, "all", "media") == "Nothing runs: all is current.\n"
    video = mini.folder.parent / "data" / "part_02" / "A102_disg_int1_ver1.mov"
    size = video.stat().st_size
    video.write_bytes(video.read_bytes() + b"\0")
    module = checkout / "workflow/scripts/blemore/fusion/submission.py"
    module.write_text(module.read_text() + "\nADDED = 1\n")
    mini.configure(overlay(features={"wav2vec2": {"layers": [1, 5]}}, classify={"heads": {"mlp_512": {"epochs": 9}}}))
    said = command(checkout, "why_stale.py", mini, "all", "media").splitlines()
    lines = dict(pairwise(said))
    assert lines["crop_faces: shard A102"] == f"    another file of: A102_disg_int1_ver1 ({size} bytes -> {size + 1} bytes)"
    assert lines["embed_wav2vec2, 3 jobs: encoder wav2vec2; shard A101, A103, bucket_00"] == "    features.wav2vec2.layers: [6, 12] -> [1, 5]"
    assert lines["train_head, 2 jobs: encoder wav2vec2; head mlp_512; fold 0, 1"] == "    classify.heads.mlp_512.epochs: 10 -> 9"
    assert lines["write_submission, 2 jobs: ensemble all, wav2vec2_mlp_512"] == "    code, edited: blemore/fusion/submission.py"
    assert lines["report"] == "    after extract_audio, finetune_wav2vec2, fuse, gather_features, train_head"
    made = command(checkout, "why_stale.py", mini, "results/features/wav2vec2.zarr").split("Made with\n")[1]
    assert "    features.wav2vec2.layers: [6, 12]\n" in made
    assert "    media.audio.sample_rate_hz: 16000\n" in made
    late, current = (json.loads(command(REPOSITORY, "inspect_store.py", mini, f"results/features/{name}.zarr", "--json")) for name in ("wav2vec2", "imagebind"))
    assert (late["today"]["current"], current["today"]) == (False, {"current": True, "why": []})
    assert "    features.wav2vec2.layers: [6, 12] -> [1, 5]" in late["today"]["why"]
