import errno
import json
import os
import pty
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from blemore import job
from blemore.job import Progress
from blemore.settings import SCRIPTS

SCRIPT = """
import os, subprocess, sys, time
from types import SimpleNamespace
sys.path.insert(0, {scripts!r})
from blemore.job import BadInput, Progress, run

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


def test_a_file_that_may_not_be_read_is_named_with_the_way_on():
    said = job.disk_problem(PermissionError(errno.EACCES, "Permission denied", "a.h5"))
    assert said == "a.h5 may not be read or written (Permission denied); change its permissions and run the same command again."


@pytest.mark.parametrize("deleted", [False, True], ids=["log kept", "log deleted, as Snakemake does before it starts a job"])
def test_a_second_run_of_the_same_job_waits_for_the_first_and_has_the_last_word(tmp_path, deleted):
    """Were it to fail, Snakemake would record its settings for what the first is yet to write."""
    first = start(tmp_path, "print('first', flush=True); time.sleep(5); open('store', 'w').write('first')")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not ((tmp_path / "x.log").exists() and (tmp_path / "x.log").read_text()):
        time.sleep(0.02)
    if deleted:
        (tmp_path / "x.log").unlink()
    second = start(tmp_path, "print('second'); open('store', 'w').write('second')")
    sentence = "x.log is locked: a process of an earlier, killed run still does this job; it is waited for (stop it if it hangs).\n"
    assert second.stderr.readline() == sentence
    time.sleep(0.5)
    assert second.poll() is None
    assert (tmp_path / "x.log").read_text() == "first\n"
    if deleted:
        first.kill()
    first.communicate()
    assert first.returncode != 0
    assert second.wait(timeout=30) == 0
    assert (tmp_path / "x.log").read_text() == "second\n"
    assert (tmp_path / "store").read_text() == "second"
    assert not list(tmp_path.glob(".*.awaited"))


def test_a_job_that_was_awaited_is_not_to_be_found_though_the_one_that_waited_is_gone(tmp_path):
    """As where Slurm ends the waiting job in time, and Snakemake has recorded its settings."""
    first = start(tmp_path, "print('first', flush=True); time.sleep(4); open('x.json', 'w').write('{}')")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not ((tmp_path / "x.log").exists() and (tmp_path / "x.log").read_text()):
        time.sleep(0.02)
    second = start(tmp_path, "print('second')")
    assert "is locked" in second.stderr.readline()
    while not list(tmp_path.glob(".*.awaited")):
        time.sleep(0.02)
    second.kill()
    second.communicate()
    assert first.communicate()[1] == "embed_x: a later run waits for this job of a killed one and does it anew; if that was ended too, run again.\n"
    assert first.returncode == 1
    assert not (tmp_path / "x.json").exists()
    third = finish(tmp_path, "open('x.json', 'w').write('third')")
    assert third.returncode == 0
    assert (tmp_path / "x.json").read_text() == "third"


def test_a_child_that_outlives_its_job_keeps_the_lock(tmp_path):
    began = time.monotonic()
    finish(tmp_path, "subprocess.Popen(['sleep', '3'])")
    assert finish(tmp_path, "pass").returncode == 0
    assert time.monotonic() - began > 3


@pytest.mark.parametrize("number", ["ENOLCK", "EOPNOTSUPP", "ENOSYS"])
def test_a_disk_without_locks_is_one_sentence(tmp_path, number):
    without = f"import errno, fcntl\ndef flock(*_):\n    raise OSError(errno.{number}, os.strerror(errno.{number}))\nfcntl.flock = flock\n"
    code = SCRIPT.replace("\nclass Output", f"\n{without}\nclass Output").format(scripts=str(SCRIPTS), body="pass")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    sentence = r"^embed_x: the disk of \.x\.log\.lock knows no file locks \(.*\); mount it with them \(Lustre: flock\), or work on another disk\.\n$"
    assert re.fullmatch(sentence, done.stderr)


def test_when_and_where_are_recorded_beside_the_store(tmp_path):
    finish(tmp_path, "pass")
    record = json.loads((tmp_path / "x.run.json").read_text())
    assert record["rule"] == "embed_x"
    assert set(record) == {"rule", "started", "seconds", "host", "python", "commit"}


MAKES_FILES = "import h5py; h5py.File('faces.h5', 'w').close(); os.mkdir('folder'); os.close(os.open('text', os.O_CREAT, 0o666))"


@pytest.mark.parametrize(("umask", "file", "folder"), [("022", 0o640, 0o750), ("000", 0o660, 0o770), ("077", 0o600, 0o700)])
def test_what_a_job_makes_is_for_user_and_group_alone_or_less(tmp_path, umask, file, folder):
    code = SCRIPT.format(scripts=str(SCRIPTS), body=MAKES_FILES)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=30, umask=int(umask, 8))
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"faces.h5": file, "text": file, "x.log": file, ".x.log.lock": file, "x.run.json": file, "folder": folder}


def steps(monkeypatch, capsys, seconds, total=10, parts=60):
    """What is said of units that take so many seconds each."""
    clock = iter(range(0, 10**6, seconds))
    monkeypatch.setattr(job.time, "monotonic", lambda: next(clock))
    progress = Progress(total, "clips", "frames")
    for _ in range(total):
        progress.step(parts)
    return capsys.readouterr().out.splitlines()


def test_progress_is_done_units_speed_and_time_left(monkeypatch, capsys):
    said = steps(monkeypatch, capsys, 8)
    assert said[0] == "2 of 10 clips, 7.5 frames/s, 1 min left"
    assert said[-1] == "10 of 10 clips, 7.5 frames/s"
    assert len(said) == 5


def test_a_short_job_says_nothing_of_its_progress(monkeypatch, capsys):
    assert steps(monkeypatch, capsys, 1) == []


@pytest.mark.parametrize(("seconds", "left"), [(20, "3 min"), (1700, "4 h 15 min"), (15, "2 min")])
def test_units_without_parts_have_no_speed(monkeypatch, capsys, seconds, left):
    assert steps(monkeypatch, capsys, seconds, parts=0)[0] == f"1 of 10 clips, {left} left"


PROGRESS = "import blemore.job; blemore.job.PROGRESS_S = 0; Progress(3, 'clips').step()"


def test_progress_is_said_on_the_terminal_that_the_job_was_started_from(tmp_path):
    screen, terminal = pty.openpty()
    code = SCRIPT.format(scripts=str(SCRIPTS), body=PROGRESS)
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, stderr=terminal, check=True, timeout=30)
    said = os.read(screen, 1000).decode()
    assert (tmp_path / "x.log").read_text() == "1 of 3 clips, 0 s left\n"
    assert said.endswith("x: 1 of 3 clips, 0 s left\r\n")


def test_where_there_is_no_terminal_the_log_alone_has_the_progress(tmp_path):
    assert finish(tmp_path, PROGRESS).stderr == ""
    assert (tmp_path / "x.log").read_text() == "1 of 3 clips, 0 s left\n"
