import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blemore.settings import SCRIPTS

SCRIPT = """
import os, subprocess, sys, time
from types import SimpleNamespace
sys.path.insert(0, {scripts!r})
from blemore.job import BadInput, run

class Output(list):
    manifest = "x.json"

def main(snakemake):
    {body}

run(main, SimpleNamespace(log=["x.log"], output=Output(), rule="embed_x"))
"""


def start(folder: Path, body: str) -> subprocess.Popen:
    code = SCRIPT.format(scripts=str(SCRIPTS), body=body)
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def finish(folder: Path, body: str) -> subprocess.CompletedProcess:
    process = start(folder, body)
    out, err = process.communicate(timeout=30)
    return subprocess.CompletedProcess(body, process.returncode, out, err)


@pytest.mark.parametrize(
    "body",
    [
        "print('word')",
        "os.write(1, b'word')",
        "print('word', file=sys.stderr)",
        "subprocess.run(['echo', 'word'])",
        "subprocess.run('echo word >&2', shell=True)",
    ],
)
def test_everything_that_is_printed_lands_in_the_log(tmp_path, body):
    done = finish(tmp_path, body)
    assert done.returncode == 0
    assert "word" in (tmp_path / "x.log").read_text()
    assert "word" not in done.stdout + done.stderr


def test_a_traceback_lands_in_the_log(tmp_path):
    assert finish(tmp_path, "1 / 0").returncode == 1
    assert "ZeroDivisionError" in (tmp_path / "x.log").read_text()


def test_a_bad_input_is_one_sentence_without_a_traceback(tmp_path):
    done = finish(tmp_path, "raise BadInput('a.csv has no rows; add one.')")
    assert done.returncode == 1
    assert (tmp_path / "x.log").read_text() == "embed_x: a.csv has no rows; add one.\n"
    assert done.stderr == "embed_x: a.csv has no rows; add one.\n"


def test_a_second_run_of_the_same_job_is_refused_and_the_first_log_stays(tmp_path):
    first = start(tmp_path, "print('first', flush=True); time.sleep(30)")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not ((tmp_path / "x.log").exists() and (tmp_path / "x.log").read_text()):
        time.sleep(0.02)
    second = finish(tmp_path, "print('second')")
    assert second.returncode == 1
    assert "x.log is locked: a process of an earlier, killed run still does this job" in second.stderr
    assert (tmp_path / "x.log").read_text() == "first\n"
    first.kill()
    first.communicate()
    assert finish(tmp_path, "print('third')").returncode == 0
    assert (tmp_path / "x.log").read_text() == "third\n"


def test_a_child_that_outlives_its_job_keeps_the_lock(tmp_path):
    finish(tmp_path, "subprocess.Popen(['sleep', '5'])")
    assert finish(tmp_path, "pass").returncode == 1


def test_when_and_where_are_recorded_beside_the_store(tmp_path):
    finish(tmp_path, "pass")
    record = json.loads((tmp_path / "x.run.json").read_text())
    assert record["rule"] == "embed_x"
    assert set(record) == {"rule", "started", "seconds", "host", "python", "commit"}
