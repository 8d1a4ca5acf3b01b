"""One finished run of tests/mini that the tests copy, and never change."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from workflow.runs import REPOSITORY, Run

STAND_IN = (sys.executable, str(REPOSITORY / "demo" / "gemini_server.py"))  # in front of a command that asks Gemini
MINI = yaml.safe_load((REPOSITORY / "tests" / "mini" / "config.yaml").read_text())


@pytest.fixture(autouse=True, scope="session")
def _loopback_without_a_proxy():
    os.environ["NO_PROXY"] = "127.0.0.1"


@pytest.fixture(scope="session")
def mini_folder(tmp_path_factory) -> Path:
    """`data`, and in `run` everything that the workflow makes of it; made once for all test processes."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "mini"
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "first.log").exists():
            make_mini(folder)
    return folder


def make_mini(folder: Path) -> None:
    folder.mkdir()
    generate = [sys.executable, str(REPOSITORY / "demo" / "generate.py"), "--preset", "mini", "--output", str(folder / "data")]
    subprocess.run(generate, check=True, capture_output=True)
    (folder / "first.log").write_text(Run(folder / "run", MINI).snakemake("all", "media"))


@pytest.fixture
def demo(tmp_path) -> Run:
    """The demo with its data, not run yet; its Score is checked as `make demo` does."""
    subprocess.run([sys.executable, str(REPOSITORY / "demo" / "generate.py"), "--output", str(tmp_path / "data")], check=True, capture_output=True)
    return Run(tmp_path / "run", yaml.safe_load((REPOSITORY / "demo" / "config.yaml").read_text()))


def check_demo_score(run: Run) -> None:
    subprocess.run([sys.executable, str(REPOSITORY / "demo" / "check_score.py"), str(run.folder / "results/fusion")], check=True)


@pytest.fixture
def mini(mini_folder, tmp_path) -> Run:
    """A copy of the finished run that a test may change; times and Snakemake's records come along."""
    shutil.copytree(mini_folder, tmp_path / "mini", dirs_exist_ok=True)
    return Run(tmp_path / "mini" / "run", MINI)


@pytest.fixture
def finished(mini_folder) -> Run:
    """The finished run itself, for tests that only look."""
    return Run(mini_folder / "run", MINI)
