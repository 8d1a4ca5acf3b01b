"""What jobs ask for, as Snakemake itself reads it."""

import re

import pytest
from workflow.conftest import MINI
from workflow.runs import Run

pytestmark = pytest.mark.workflow


def asked(run, attempt):
    """(rule, wildcards) -> megabytes and minutes."""
    said = run.snakemake("all", "media", "--dry-run", "--attempt", str(attempt))
    blocks = re.split(r"\n(?=(?:local)?rule \S+:\n)", said)[1:]
    found = {}
    for block in blocks:
        rule, memory, minutes = (re.search(pattern, block) for pattern in (r"rule (\S+):", r"\bmem_mb=(\d+)", r"\bruntime=(\d+)"))
        wildcards = re.search(r"wildcards: (.*)", block)
        if rule.group(1) not in ("all", "media"):
            found[rule.group(1), wildcards and wildcards.group(1)] = (int(memory.group(1)), int(minutes.group(1)))
    return found


def test_more_clips_take_longer_and_a_further_attempt_asks_for_as_many_times_more(mini_folder, tmp_path):
    (tmp_path / "data").symlink_to(mini_folder / "data")
    run = Run(tmp_path / "run", MINI)
    first, second = asked(run, 1), asked(run, 2)
    assert len(first) > 30
    assert first["track_faces", "shard=A101"] == (3000, 15 + 3)
    assert second["track_faces", "shard=A101"] == (6000, 2 * (15 + 3))
    assert first["gather_features", "encoder=wav2vec2"] == (600 + 2, 10 + 1)  # 0.1 MB and 0.005 minutes for each of 12 clips, rounded up
    # 6 of 12 clips teach and 6 stop, in 2 epochs, and all are predicted: 42 s of one core, and half as many again.
    assert first["finetune_wav2vec2", "encoder=wav2vec2_finetuned, model=fold0"][1] == 10 + 2
    assert all(second[job][0] > memory and second[job][1] > minutes for job, (memory, minutes) in first.items())
