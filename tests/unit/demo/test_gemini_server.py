"""The stand-in for Gemini as a command around another one, as `make demo` runs it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import gemini_server
import numpy as np
import pytest
from design import Clip, Label, generator, perform
from faces import draw_face, render

from blemore.media.clips import write_mp4

SERVER = Path(gemini_server.__file__)


def run(*command):
    return subprocess.run([sys.executable, str(SERVER), *command], capture_output=True, text=True)


@pytest.mark.parametrize(("code", "status"), [("raise SystemExit(0)", 0), ("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_the_status_of_the_command_is_handed_on(code, status):
    done = run(sys.executable, "-c", code)
    assert done.returncode == status
    assert done.stdout == "The local stand-in for Gemini answered 0 requests; nothing was sent to Google.\n"


def test_a_command_that_is_not_there_is_a_sentence():
    done = run("no-such-command")
    assert (done.returncode, done.stderr) == (1, "gemini_server.py: no-such-command cannot be started (No such file or directory).\n")
    assert "runs a command that finds the stand-in" in run().stderr


def test_the_command_finds_the_stand_in_and_a_key_that_is_none():
    done = run(sys.executable, "-c", "import os; print(os.environ['GOOGLE_GEMINI_BASE_URL'], os.environ['GEMINI_API_KEY'])")
    assert done.stdout.startswith("http://127.0.0.1:")
    assert f" {gemini_server.KEY}\n" in done.stdout


WAITS = """
import signal, sys, time
def cleaned(number, frame):
    time.sleep(1)
    open(sys.argv[1], "w").write(str(number))
    sys.exit(3)
signal.signal(signal.SIGINT, cleaned)
signal.signal(signal.SIGTERM, cleaned)
open(sys.argv[1] + ".ready", "w").close()
time.sleep(60)
"""


@pytest.mark.parametrize(("number", "to_group"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_ctrl_c_and_sigterm_leave_the_command_time_to_clean_up(tmp_path, number, to_group):
    """A terminal gives Ctrl-C to both; `kill` to the server alone."""
    command = [sys.executable, str(SERVER), sys.executable, "-c", WAITS, str(tmp_path / "said")]
    process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE)
    while not (tmp_path / "said.ready").exists():
        time.sleep(0.05)
    (os.killpg if to_group else os.kill)(process.pid, number)
    assert process.wait(30) == 3
    assert (tmp_path / "said").read_text() == str(int(number))


def clip_bytes(label, seed, path):
    rng = np.random.default_rng(seed)
    shown = Label(label)
    course = perform(Clip("x", 0, 0, shown, shown, False), 1, 20, generator(seed, 1, 0, 0))
    frames = list(render(draw_face(np.random.default_rng(3), 192, 160), course, rng))
    write_mp4(path, frames, None, fps=25, max_height=160, crf=23, audio_bitrate=64000)
    return path.read_bytes()


def test_its_vectors_are_of_the_pixels_alone(tmp_path):
    """Two takes of a smile are nearer to each other than to anger, and a second part or another name of the file changes nothing."""
    smile, again, anger = (gemini_server.seen([clip_bytes(*one, tmp_path / "a.mp4")]) for one in (("hap", 1), ("hap", 2), ("ang", 3)))
    assert smile @ again > max(smile @ anger, again @ anger)
    assert np.linalg.norm(smile) == pytest.approx(1)
    assert np.array_equal(gemini_server.seen([clip_bytes("hap", 1, tmp_path / "b.mp4"), b"ang"]), smile)
