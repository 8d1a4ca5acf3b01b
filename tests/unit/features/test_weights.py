import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from unit.features.hub import COMMIT, Hub

from blemore.features.weights import STATED_DIGITS, describe, fetch, folder_of, local_sizes, open_folder
from blemore.job import BadInput
from blemore.settings import SCRIPTS

FILES = {"config.json": b"{}", "model.safetensors": b"numbers", "pytorch_model.bin": b"the same, pickled", "README.md": b"text"}


def fetch_from(hub, weights, file=None, **environment):
    """The hub client reads its address when it is imported, so the fetch runs in a process of its own."""
    call = f"fetch('org/tiny', 'main', {str(weights)!r}, {file!r})"
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); from blemore.features.weights import fetch; print({call})"
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
    assert describe(folder)["sha256"].keys() == {"config.json", "pytorch_model.bin"}


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
    sentence = r"the weights of org/tiny \(main\) could not be fetched \(.*\); put them into .*/org--tiny--main, or name a folder in features\.\*\.model\."
    assert re.search(sentence, done.stderr)


@pytest.mark.parametrize(
    ("hub", "transformers"), [("", ""), ("0", "1"), ("no", ""), ("1", ""), ("true", "0"), ("Yes", ""), ("ON", ""), ("", "1"), ("", "True")]
)
def test_offline_is_what_the_hubs_client_takes_for_it(hub, transformers):
    """It reads the environment when it is imported."""
    environment = os.environ | {"HF_HUB_OFFLINE": hub, "TRANSFORMERS_OFFLINE": transformers, "PYTHONPATH": str(SCRIPTS)}
    code = "from huggingface_hub.constants import HF_HUB_OFFLINE as theirs; from blemore.features.weights import offline; print(theirs, offline())"
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert said[0] == said[1]


def test_no_revision_leads_out_of_the_folder_of_weights(tmp_path):
    assert folder_of("org/tiny", "/../../elsewhere", tmp_path).parent == tmp_path


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_says_what_to_do(tmp_path, monkeypatch, name):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv(name, "1")
    with pytest.raises(BadInput) as refused:
        fetch("org/tiny", "main", tmp_path)
    assert str(refused.value) == (
        f"the weights of org/tiny are not in {tmp_path}/org--tiny--main and HF_HUB_OFFLINE=1: run `snakemake weights` where there is a network, "
        "or name a folder."
    )


def test_a_folder_is_taken_as_it_is(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert fetch(str(tmp_path), "main", "weights") == tmp_path


def test_fetched_weights_lie_under_their_name_and_revision():
    assert folder_of("org/tiny", "v1", "weights") == Path("weights/org--tiny--v1")


def test_files_are_described_by_their_digest(tmp_path):
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    described = describe(tmp_path)
    assert described["sha256"] == {name: hashlib.sha256(FILES[name]).hexdigest() for name in ("config.json", "model.safetensors", "pytorch_model.bin")}
    assert described["bytes"] == {"config.json": 2, "model.safetensors": 7, "pytorch_model.bin": 17}


def test_two_encoders_may_fetch_one_checkpoint_at_the_same_time(tmp_path):
    with Hub(FILES) as hub, ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda _: fetch_from(hub, tmp_path), range(3)))
    assert [one.returncode for one in done] == [0, 0, 0], done[0].stderr
    assert hub.requests.count(("GET", f"/org/tiny/resolve/{COMMIT}/model.safetensors")) == 1


def test_a_hub_that_does_not_answer_is_one_sentence(tmp_path):
    hub = SimpleNamespace(url="http://127.0.0.1:9")
    said = fetch_from(hub, tmp_path).stderr.splitlines()[-1]
    assert said.startswith("blemore.job.BadInput: the weights of org/tiny (main) could not be fetched (")


@pytest.fixture
def torchvision_file(tmp_path, monkeypatch):
    """A function that makes torchvision's weights of swin3d_t a local file, whose name states some digits of its SHA-256."""

    def state_digits(digits):
        source = tmp_path / f"swin3d_t-{digits}.pth"
        source.write_bytes(b"numbers")
        known = SimpleNamespace(__members__={"KINETICS400_V1": SimpleNamespace(url=source.as_uri())})
        monkeypatch.setattr("torchvision.models.get_model_weights", lambda name: known)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)

    return state_digits


def test_torchvision_weights_are_fetched_and_described(tmp_path, torchvision_file):
    digest = hashlib.sha256(b"numbers").hexdigest()
    torchvision_file(digest[:8])
    folder = fetch("swin3d_t", "KINETICS400_V1", tmp_path / "weights")
    assert folder == tmp_path / "weights/swin3d_t--KINETICS400_V1"
    assert describe(folder)["sha256"] == {f"swin3d_t-{digest[:8]}.pth": digest}


@pytest.mark.parametrize(
    ("digits", "revision", "said"),
    [
        ("01234567", "KINETICS400_V1", "invalid hash value"),
        ("01234567", "LATEST", "torchvision has KINETICS400_V1 of it"),
        ("new", "KINETICS400_V1", r"swin3d_t-new\.pth states no SHA-256"),
    ],
)
def test_torchvision_weights_that_are_not_what_their_name_states_are_refused(tmp_path, torchvision_file, digits, revision, said):
    torchvision_file(digits)
    with pytest.raises(BadInput, match=rf"the weights of swin3d_t \({revision}\) could not be fetched \(.*{said}"):
        fetch("swin3d_t", revision, tmp_path / "weights")
    assert not (tmp_path / f"weights/swin3d_t--{revision}").exists()


def test_every_file_of_torchvision_states_digits_of_its_sha256():
    from torchvision.models import get_model_weights

    urls = [weights.url for name in ("swin3d_t", "swin3d_s", "swin3d_b") for weights in get_model_weights(name)]
    assert len(urls) >= 4
    assert all(STATED_DIGITS.search(url) for url in urls)


def test_a_file_of_weights_is_taken_as_it_is(tmp_path):
    file = tmp_path / "mine.pth"
    file.write_bytes(b"numbers")
    described = describe(fetch(str(file), "main", "weights"))
    assert described["bytes"] == {"mine.pth": 7}
    description = tmp_path / "weights.json"
    description.write_text(json.dumps(described))
    assert open_folder(str(file), "main", "weights", description) == (file, described["sha256"])
    assert local_sizes(str(file), description) == {"mine.pth": 7}


@pytest.mark.parametrize("name", ["org/tiny", "swin3d_t"])
def test_names_have_no_local_sizes_before_and_after_they_are_fetched(name, tmp_path):
    description = tmp_path / "weights.json"
    description.write_text(json.dumps({"bytes": {"model.safetensors": 7}}))
    assert local_sizes(name, description) == {}


def test_what_is_no_folder_and_no_name_is_refused():
    with pytest.raises(BadInput, match=r"\.\./gone is neither a folder nor a name on the hub; mend features\.\*\.model\.$"):
        fetch("../gone", "main", "weights")


@pytest.fixture
def described(tmp_path):
    """A local checkpoint, and the description of its files."""
    folder, description = tmp_path / "checkpoint", tmp_path / "weights.json"
    folder.mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    description.write_text(json.dumps(describe(folder)))
    return folder, description


def test_weights_that_were_changed_after_they_were_described_are_not_loaded(described):
    folder, description = described
    assert open_folder(str(folder), "main", "weights", description)[0] == folder
    (folder / "model.safetensors").write_bytes(b"others")
    sentence = r"checkpoint does not hold the weights that .*weights\.json describes; put them back, or delete .*weights\.json and run again\.$"
    with pytest.raises(BadInput, match=sentence):
        open_folder(str(folder), "main", "weights", description)


def test_local_weights_that_are_gone_keep_their_sizes(described):
    folder, description = described
    sizes = local_sizes(str(folder), description)
    shutil.rmtree(folder)
    assert local_sizes(str(folder), description) == sizes == {"config.json": 2, "model.safetensors": 7, "pytorch_model.bin": 17}


def test_a_name_on_the_hub_has_no_sizes_to_watch(tmp_path):
    assert local_sizes("org/tiny", tmp_path / "weights.json") == {}


def test_of_a_checkpoint_that_is_one_file_only_that_is_fetched_and_watched(tmp_path):
    files = {"encoder.pt": b"weights", "other.pt": b"fine-tuned", "config.json": b"{}"}
    with Hub(files) as hub:
        folder = Path(fetch_from(hub, tmp_path, "encoder.pt").stdout.strip())
        assert {path.name for path in folder.iterdir()} == {"encoder.pt", "revision.txt"}
        asked = len(hub.requests)
        assert fetch_from(hub, tmp_path, "encoder.pt").returncode == 0
        assert len(hub.requests) == asked
        assert fetch_from(hub, tmp_path, "other.pt").returncode == 0
        assert {path.name for path in folder.iterdir()} == {"encoder.pt", "other.pt", "revision.txt"}
    described = describe(folder, "encoder.pt")
    assert described == {"sha256": {"encoder.pt": hashlib.sha256(b"weights").hexdigest()}, "bytes": {"encoder.pt": 7}}
    assert local_sizes(str(folder), tmp_path / "weights.json", "encoder.pt") == {"encoder.pt": 7}


def test_a_file_that_the_hub_lacks_is_named(tmp_path):
    with Hub(FILES) as hub:
        done = fetch_from(hub, tmp_path, "encoder.pt")
    assert "the hub has no encoder.pt of it" in done.stderr
    assert not (tmp_path / "org--tiny--main").exists()
