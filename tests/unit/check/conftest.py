"""Where `check` looks: an empty folder, and a small data set in it."""

from pathlib import Path

import pytest
import yaml
from unit.data.sheets import SMALL, data_block, touch

from blemore.features.kinds import FINE_TUNED


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """An empty working directory in which the hub is allowed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


@pytest.fixture
def config(repository):
    """The default configuration without what is fine-tuned, on six train clips and one test clip, one of each with video."""
    touch(Path("data/part_01/A102_neu_sit2_ver1.mov"))
    touch(Path("data/test_videos/test_0001.mov"))
    Path("data/train_metadata.csv").write_text(SMALL)
    config = yaml.safe_load((repository / "config.yaml").read_text())
    encoders = [name for name in config["encoders"] if config["features"][name]["kind"] not in FINE_TUNED]
    return {**config, "encoders": encoders, "data": {**config["data"], **data_block(Path("data"))}}
