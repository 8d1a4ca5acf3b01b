import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from unit.features.hub import COMMIT, Hub

from blemore.features.weights import describe, fetch, folder_of
from blemore.job import BadInput
from blemore.settings import SCRIPTS

FILES = {"config.json": b"{}", "model.safetensors": b"numbers", "pytorch_model.bin": b"the same, pickled", "README.md": b"text"}


def fetch_from(hub, weights, **environment):
    """The hub client reads its address when it is imported, so the fetch runs in a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); from blemore.features.weights import fetch; print(fetch('org/tiny', 'main', {str(weights)!r}))"
    settings = {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HOME": str(weights / "home"), "NO_PROXY": "127.0.0.1"}
    return subprocess.run([sys.executable, "-c", code], env=os.environ | settings | environment, capture_output=True, text=True, timeout=60)


def test_a_name_is_fetched_once_with_what_a_model_needs(tmp_path):
    with Hub(FILES) as hub:
        done = fetch_from(hub, tmp_path)
        assert done.returncode == 0, done.stderr
        folder = Path(done.stdout.strip())
        assert folder == tmp_path / "org--tiny--main"
        assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors", "revision.txt"}
        assert (folder / "revision.txt").read_text().strip() == COMMIT
        asked = len(hub.requests)
        assert fetch_from(hub, tmp_path).returncode == 0
        assert len(hub.requests) == asked


def test_without_safetensors_the_torch_file_is_fetched(tmp_path):
    with Hub({name: data for name, data in FILES.items() if name != "model.safetensors"}) as hub:
        folder = Path(fetch_from(hub, tmp_path).stdout.strip())
    assert describe(folder).keys() == {"config.json", "pytorch_model.bin"}


def test_a_file_that_is_not_what_the_hub_states_is_refused_and_not_kept(tmp_path):
    with Hub(FILES, stated={"model.safetensors": "f" * 64}) as hub:
        done = fetch_from(hub, tmp_path)
    assert done.returncode == 1
    assert "model.safetensors does not have the SHA-256 that the hub states" in done.stderr
    assert not (tmp_path / "org--tiny--main").exists()


def test_a_name_that_the_hub_does_not_know_names_both_ways_on(tmp_path):
    with Hub({}) as hub:
        hub.url += "/elsewhere"
        done = fetch_from(hub, tmp_path)
    assert done.returncode == 1
    assert "the weights of org/tiny (main) could not be fetched" in done.stderr
    assert f"put them into {tmp_path}/org--tiny--main, or name a folder in features.*.model." in done.stderr


def test_offline_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        BadInput, match=r"the weights of org/tiny are not in .*org--tiny--main and HF_HUB_OFFLINE=1: run `snakemake weights` where there is a network"
    ):
        fetch("org/tiny", "main", tmp_path)


def test_a_folder_is_taken_as_it_is(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert fetch(str(tmp_path), "main", "weights") == tmp_path


def test_fetched_weights_lie_under_their_name_and_revision():
    assert folder_of("org/tiny", "v1", "weights") == Path("weights/org--tiny--v1")


def test_files_are_described_by_their_digest(tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    assert describe(tmp_path) == {name: hashlib.sha256(FILES[name]).hexdigest() for name in ("config.json", "model.safetensors", "pytorch_model.bin")}
