"""Encoders that a user brings: what they are given, what they must leave, and what happens if they do not."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import embed_external
from blemore.features import call_function, external
from blemore.features.external import run_limited, words_of
from blemore.features.pooling import temporal_statistics
from blemore.features.programs import lacking, problems, versions
from blemore.job import BadInput
from blemore.media.frames import encode_jpeg
from blemore.media.shard import finish_folder, finish_store, new_folder, new_store, write_clip
from blemore.settings import SCRIPTS, digest
from blemore.stores import DECODE_ERROR, MISSING, NO_AUDIO, NO_FACE, OK, PARTIAL, read_attributes, read_features

CLIPS = {"A1_good": OK, "A1_half": PARTIAL, "A1_mute": OK, "A1_away": NO_FACE, "A1_gone": MISSING}
ENCODER = {"command": None, "files": [], "function": None, "inputs": ["faces", "audio", "videos"], "width": None}
ADAPTER = """
from neighbour import SCALE

def embed(inputs):
    for clip in sorted(inputs.joinpath("faces").iterdir()):
        frames = [len(file.read_bytes()) for file in sorted(clip.glob("*.jpg"))]
        sound = inputs.joinpath("audio", clip.name + ".flac").read_bytes()
        video = inputs.joinpath("videos", clip.name + ".mov").read_bytes()
        print("seen", clip.name)
        yield clip.name, [[SCALE * size, len(sound), len(video)] for size in frames]
"""


@pytest.fixture
def shard(tmp_path, monkeypatch):
    """Faces of three frames of 1, 2, 3 bytes, sound of 5 bytes, videos of 7; one clip without sound, one without a face, one without a video."""
    monkeypatch.chdir(tmp_path)
    folder = new_folder("audio/A1")
    sound = CLIPS | {"A1_mute": NO_AUDIO, "A1_half": OK}
    for clip in ("A1_good", "A1_half"):
        (folder / f"{clip}.flac").write_bytes(b"sound")
    finish_folder(folder, ".flac", sound, {})
    with new_store("faces.h5") as store:
        for clip in ("A1_good", "A1_half", "A1_mute"):
            write_clip(store, clip, jpeg=[np.full(n, 7, np.uint8) for n in (1, 2, 3)], timestamps_s=np.arange(3.0))
        finish_store(store, CLIPS, {})
    Path("videos").mkdir()
    for clip in CLIPS:
        Path(f"videos/{clip}.mov").write_bytes(b"a video")
    Path("adapter").mkdir()
    Path("adapter/own.py").write_text(ADAPTER)
    Path("adapter/neighbour.py").write_text("SCALE = 10\n")
    return tmp_path


def embedded(timeout_s=60.0, **changes):
    cfg = ENCODER | changes
    stores = [place for medium, place in (("faces", "faces.h5"), ("audio", "audio/A1")) if medium in cfg["inputs"]]
    there = {clip: None if clip == "A1_gone" else 7 for clip in CLIPS}
    videos = [f"videos/{clip}.mov" for clip, size in there.items() if size] if "videos" in cfg["inputs"] else []
    params = SimpleNamespace(cfg=cfg, code={}, clips=there, actors=dict.fromkeys(CLIPS, "A1"), limit={"timeout_s": timeout_s}, files=versions(cfg))
    output = SimpleNamespace(store="own.zarr")
    wildcards = SimpleNamespace(encoder="own")
    embed_external.main(SimpleNamespace(input=SimpleNamespace(videos=videos, stores=stores), output=output, params=params, wildcards=wildcards))
    return read_features("own.zarr")


def test_a_function_is_given_media_and_yields_arrays(shard):
    features = embedded(function="adapter/own.py:embed", width=3)
    assert features.clip == list(CLIPS)
    assert features.status.tolist() == [OK, PARTIAL, NO_AUDIO, NO_FACE, MISSING]
    assert np.array_equal(features.embedding[0], temporal_statistics(np.array([[10.0, 5, 7], [20, 5, 7], [30, 5, 7]])))
    assert features.n_frames.tolist() == [3, 3, 0, 0, 0]
    record = read_attributes("own.zarr")
    assert len(record["files"]["adapter/own.py"]) == 64
    assert record["settings"]["function"] == "adapter/own.py:embed"


def test_the_function_in_the_readme_is_one(shard, repository):
    code = re.search(r"```python\n(import cv2.*?)```", (repository / "README.md").read_text(), re.DOTALL).group(1)
    Path("adapter/own.py").write_text(code)
    with new_store("faces.h5") as store:
        for clip in ("A1_good", "A1_half", "A1_mute"):
            write_clip(store, clip, jpeg=[encode_jpeg(np.full((8, 8, 3), grey, np.uint8), 90) for grey in (50, 100)], timestamps_s=np.arange(2.0))
        finish_store(store, CLIPS, {})
    assert embedded(function="adapter/own.py:embed", inputs=["faces"]).embedding[0, :3].tolist() == [75, 75, 75]


def script(text):
    Path("adapter/own.py").write_text("import sys, pathlib, numpy as np\ninputs, outputs = map(pathlib.Path, sys.argv[1:])\n" + text)
    return f"{sys.executable} adapter/own.py {{inputs}} {{outputs}}"


def test_a_command_leaves_a_file_for_each_clip(shard):
    command = script("for clip in inputs.joinpath('faces').iterdir(): np.save(outputs / f'{clip.name}.npy', np.arange(4.0))")
    assert embedded(command=command, inputs=["faces"]).embedding[:3].tolist() == [[0, 1, 2, 3]] * 3


def test_a_clip_without_an_array_or_with_a_wrong_one_is_a_status(shard, capfd):
    command = script("np.save(outputs / 'A1_good.npy', np.ones((2, 3))); np.save(outputs / 'A1_half.npy', np.ones((2, 4)))")
    assert embedded(command=command, inputs=["faces"], width=3).status.tolist() == [OK, DECODE_ERROR, MISSING, NO_FACE, MISSING]
    said = capfd.readouterr().out
    assert "A1_half: its array has 4 numbers, not 3 as the encoder's width says." in said
    assert "A1_mute: the encoder wrote no array." in said


def test_pickle_is_not_read_from_a_users_program_either(shard):
    command = script("[np.save(outputs / f'{c}.npy', np.array([{}], object), allow_pickle=True) for c in ('A1_good', 'A1_half', 'A1_mute')]")
    assert embedded(command=command, inputs=["faces"]).status.tolist()[:3] == [DECODE_ERROR] * 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("print('x'); sys.exit(3)", r"own\.py \S+ \S+ ended with status 3; see in the log what it said, and mend it\.$"),
        ("pass", r"the encoder wrote no array for any of 3 clips; it must leave A1_good\.npy and so on in the folder of its outputs\.$"),
    ],
)
def test_a_program_that_does_not_do_its_work_is_named(shard, text, said):
    with pytest.raises(BadInput, match=said):
        embedded(command=script(text), inputs=["faces"])


def test_a_function_that_fails_leaves_its_stack_in_the_log(shard, capfd):
    Path("adapter/own.py").write_text("def embed(inputs):\n    yield '../evil', [1.0]\n")
    with pytest.raises(BadInput, match="ended with status 1"):
        embedded(function="adapter/own.py:embed")
    assert re.search(r"embed yields '\.\./evil', which is no clip; yield the names in .*, without their extensions\.\n", capfd.readouterr().err)


def test_a_function_in_a_file_of_another_kind_is_named():
    with pytest.raises(ImportError, match=r"^own\.txt is no Python file; name a \.py file in features\.\*\.function\.$"):
        call_function.main("own.txt", "embed", "in", "out")


def test_a_program_that_takes_too_long_is_ended_with_its_children(shard):
    command = script("import subprocess, time\nsubprocess.Popen(['sleep', '60'])\npathlib.Path('started').touch()\ntime.sleep(60)")
    began = time.monotonic()
    with pytest.raises(BadInput, match=r"own\.py \S+ \S+ took more than 2 s; raise features\.\*\.timeout_s, or see in the log what it waits for\.$"):
        embedded(command=command, inputs=["faces"], timeout_s=2)
    assert time.monotonic() - began < 30
    assert Path("started").exists()


def test_what_a_program_leaves_running_ends_with_it(tmp_path):
    """It would hold the lock of the log, and the next run of the job would be refused."""
    left = f"import subprocess; p = subprocess.Popen(['sleep', '60']); open({str(tmp_path / 'id')!r}, 'w').write(str(p.pid))"
    run_limited([sys.executable, "-c", left], 60)
    ends = time.monotonic() + 10
    while is_alive((tmp_path / "id").read_text()):
        assert time.monotonic() < ends
        time.sleep(0.01)


def is_alive(process):
    """A zombie is not; nobody may be there to reap an orphan."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_program_gets_no_credentials(tmp_path, monkeypatch):
    for name in (*external.CREDENTIALS, "OWN_KEY"):
        monkeypatch.setenv(name, "secret")
    run_limited([sys.executable, "-c", f"import os; open({str(tmp_path / 'names')!r}, 'w').write(' '.join(os.environ))"], 60)
    names = (tmp_path / "names").read_text().split()
    assert "OWN_KEY" in names
    assert not {*names} & {"GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}


def test_a_program_that_cannot_be_started_is_named():
    with pytest.raises(BadInput, match=r"^nowhere/x cannot be started \(No such file or directory\); mend features\.\*\.command\.$"):
        run_limited(["nowhere/x"], 1)


def test_a_job_that_is_ended_takes_the_program_along(tmp_path):
    """As Snakemake ends jobs: SIGTERM to the job; the program writes its process id first."""
    program = f"import os, time; open({str(tmp_path / 'id')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = f"from blemore.features.external import run_limited; run_limited([{sys.executable!r}, '-c', {program!r}], 60)"
    job = subprocess.Popen([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(SCRIPTS)})
    while not (tmp_path / "id").exists() or not (tmp_path / "id").read_text():
        time.sleep(0.05)
    number = int((tmp_path / "id").read_text())
    job.send_signal(signal.SIGTERM)
    assert job.wait() == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_nothing_of_the_command_reaches_a_shell(tmp_path):
    words = words_of("python 'my script.py' {inputs} --out={outputs} $(touch x); *", None, Path("a b/$(y)"), Path("o"))
    assert words == ["python", "my script.py", "a b/$(y)", "--out=o", "$(touch", "x);", "*"]


def test_an_edit_of_the_program_is_seen_and_a_comment_is_not(shard):
    encoder = ENCODER | {"function": "adapter/own.py:embed", "files": ["adapter/neighbour.py", "weights.bin"]}
    before = versions(encoder)
    Path("adapter/own.py").write_text("# a comment\n" + ADAPTER)
    assert versions(encoder) == before
    assert before["weights.bin"] is None
    Path("adapter/neighbour.py").write_text("SCALE = 11\n")
    digest.cache_clear()  # a run looks once
    Path("weights.bin").write_bytes(b"w")
    assert [name for name, version in versions(encoder).items() if version != before[name]] == ["adapter/neighbour.py", "weights.bin"]
    assert list(versions(ENCODER | {"command": "bash adapter/own.py {inputs}"})) == ["adapter/own.py"]


@pytest.mark.parametrize("code", [b"# -*- coding: latin-1 -*-\nNAME = '\xfc'\n", b"a = 1\0\n"])
def test_a_program_in_another_encoding_or_none_has_a_version(tmp_path, code):
    file = tmp_path / "own.py"
    file.write_bytes(code)
    before = versions(ENCODER | {"files": [str(file)], "command": "run {inputs} {outputs}"})
    file.write_bytes(code + b"b = 2\n")
    assert before != versions(ENCODER | {"files": [str(file)], "command": "run {inputs} {outputs}"})


def test_what_is_gone_counts_as_its_stores_know_it(tmp_path):
    file, encoder = tmp_path / "own.py", ENCODER | {"function": f"{tmp_path}/own.py:embed"}
    file.write_text("a = 1\n")
    known = versions(encoder)
    file.unlink()
    shard, gathered, damaged = (tmp_path / f"{name}.zarr" for name in ("shard", "gathered", "damaged"))
    for store, attributes in ((shard, {"versions": known}), (gathered, {"extraction": {"versions": known}})):
        store.mkdir()
        (store / "zarr.json").write_text(json.dumps({"attributes": attributes}))
    damaged.mkdir()
    assert versions(encoder, [shard, gathered]) == versions(encoder, [tmp_path / "nowhere", gathered]) == known
    for content in ("", "{}", "[]", '{"attributes": {"versions": null}}', '{"attributes": null}'):
        (damaged / "zarr.json").write_text(content)
        assert versions(encoder, [damaged]) == {str(file): None}
        assert versions(encoder, [damaged, gathered]) == known


def test_what_is_gone_stops_a_shard_before_any_work(shard):
    Path("adapter/own.py").unlink()
    with pytest.raises(BadInput, match=r"^adapter/own\.py, w\.bin of own is not there; put it back, or run again without new clips\.$"):
        embedded(function="adapter/own.py:embed", files=["w.bin"])


def test_nothing_is_left_beside_the_store_and_what_a_kill_left_goes(shard):
    left = Path("own.killed.work/inputs")
    left.mkdir(parents=True)
    embedded(function="adapter/own.py:embed")
    assert not list(Path().glob("*.work"))


def test_what_is_not_there_is_named(shard):
    assert lacking(ENCODER | {"function": "adapter/gone.py:embed", "files": ["w.pth"]}) == ["adapter/gone.py", "w.pth"]
    assert lacking(ENCODER | {"command": "no-such-program {inputs} {outputs}"}) == ["no-such-program"]
    assert lacking(ENCODER | {"function": "adapter/own.py:embed"}) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "features.own needs either a command or a function; set the other one to null."),
        ({"command": "x {inputs} {outputs}", "function": "a.py:f"}, "features.own needs either a command or a function; set the other one to null."),
        ({"command": "x '{inputs}"}, "features.own.command cannot be split into words (No closing quotation); close its quotes."),
        ({"command": "x {inputs}"}, "features.own.command does not hold {outputs}; add what stands for the folders that it reads and writes."),
    ],
)
def test_settings_that_cannot_be_are_named(changes, said):
    assert list(problems("own", ENCODER | changes)) == [said]


def test_good_settings_are_no_problem():
    assert list(problems("own", ENCODER | {"command": "x -i {inputs} -o {outputs}"})) == []
