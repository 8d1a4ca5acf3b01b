"""A disk that fills up, a second run beside the first, and a user who may not read or write."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from rules.bad_videos import encode
from rules.test_disk_full import fill, mounted
from unit.data.sheets import SMALL
from workflow.conftest import MINI
from workflow.runs import Run, rules

pytestmark = pytest.mark.workflow
SMALL_RUN = {"encoders": ["prosody"], "data": {"root": "../data"}, "fusion": {"ensembles": {}}}
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
FORBIDDEN = "may not be read or written (Permission denied); change its permissions and run the same command again."


class StrangersRun(Run):
    """Started by a user to whom nothing belongs but the working folder."""

    launcher = (*NOBODY, sys.executable, "-m", "snakemake")

    def snakemake(self, *arguments, **more):
        return super().snakemake(*arguments, cores=1, HOME=str(self.folder), XDG_CACHE_HOME=str(self.folder / "cache"), **more)


@pytest.fixture
def strangers():
    """A run on three actors' sheet and one video, which belong to root."""
    if os.geteuid() or not shutil.which("setpriv") or subprocess.run([*NOBODY, sys.executable, "-c", "import snakemake"]).returncode:
        pytest.skip("another user's run needs root, setpriv and a Python that others may run")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_small_data(folder / "data")
        run = StrangersRun(folder / "run", SMALL_RUN)
        os.chown(run.folder, 65534, 65534)
        yield run


def write_small_data(folder: Path, seconds: float = 0.6) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "train_metadata.csv").write_text(SMALL)
    (folder / "part_01").mkdir()
    encode(folder / "part_01" / "A101_ang_int1_ver1.mov", "-c:v", "mpeg4", "-c:a", "pcm_s16le", seconds=seconds)


def test_inputs_on_a_disk_that_may_only_be_read_are_enough(tmp_path):
    given = {"given": {"kind": "provided", "train": "given", "test": "given", "width": 4, "columns": None}}
    with mounted(tmp_path / "data", "4m") as folder:
        write_small_data(folder)
        (folder / "given").mkdir()
        for line in SMALL.splitlines()[1:]:
            np.save(folder / "given" / f"{line.partition(',')[0]}.npy", np.ones((1, 4), np.float32))
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        run = Run(tmp_path / "run", SMALL_RUN | {"encoders": ["prosody", "given"], "features": given})
        run.snakemake("results/media/audio/A101.json", "results/features/given.json")
    assert run.manifest("features/given")["status_counts"] == {"ok": 6}
    assert run.manifest("media/audio/A101")["status"] == {"A101_ang_int1_ver1": "ok", "A101_mix_ang_hap_30_70_ver1": "missing"}


@pytest.mark.parametrize("name", ["data/train_metadata.csv", "data/part_01", "data"])
def test_what_may_not_be_read_is_one_sentence_before_any_job(strangers, name):
    path = strangers.folder.parent / name
    path.chmod(0o600 if path.is_file() else 0o700)
    said = strangers.snakemake("--dry-run", expect=1)
    assert f"../{name}" in said
    assert FORBIDDEN in said
    assert "Traceback" not in said


def test_results_that_may_not_be_written_are_one_sentence(strangers):
    (strangers.folder / "results").mkdir(mode=0o755)
    said = strangers.snakemake("results/data/sheet.csv", expect=1)
    assert f"results/config.yaml {FORBIDDEN}" in said
    assert "Traceback" not in said


@pytest.mark.soak
def test_where_the_clock_was_set_back_a_run_says_so_and_goes_on_once_inputs_are_touched(tmp_path):
    """Its inputs, and what is finished, lie in the future, which makes nothing stale."""
    write_small_data(tmp_path / "data")
    run, wanted = Run(tmp_path / "run", SMALL_RUN), ("results/data/sheet.csv", "results/media/audio/A101.json")
    run.snakemake(wanted[0])
    tomorrow = time.time() + 86_400
    for path in [*(tmp_path / "data").rglob("*"), *(run.folder / "results").rglob("*")]:
        os.utime(path, (tomorrow, tomorrow))
    assert rules(run.stale(*wanted)) == {"extract_audio"}
    assert "could indicate a clock skew" in run.snakemake(*wanted, expect=1)  # Snakemake's own sentence, with both times
    assert not (run.folder / "results/media/audio/A101.json").exists()
    for path in (tmp_path / "data").rglob("*"):
        path.touch()
    assert rules(run.stale(*wanted)) == {"extract_audio"}
    run.snakemake(*wanted)
    assert run.manifest("media/audio/A101")["status"]["A101_ang_int1_ver1"] == "ok"
    assert rules(run.stale(*wanted)) == set()


def test_a_second_run_in_one_folder_is_refused_and_a_dead_runs_lock_is_taken_away(tmp_path):
    write_small_data(tmp_path / "data")
    run = Run(tmp_path / "run", SMALL_RUN)
    process = run.start("results/data/sheet.csv")
    while not any((run.folder / ".snakemake" / "locks").glob("*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    for _ in ("alive", "killed"):
        said = run.snakemake("results/data/sheet.csv", expect=1)
        assert "Directory cannot be locked" in said
        assert "--unlock" in said
        process.kill()
        process.wait()
    run.snakemake("--unlock")
    run.snakemake("results/data/sheet.csv")


def test_a_full_disk_stops_a_run_which_goes_on_once_there_is_room(tmp_path):
    write_small_data(tmp_path / "data", seconds=60)
    with mounted(tmp_path / "run", "4m") as folder:
        run = Run(folder, SMALL_RUN)
        ballast = fill(folder, 300_000)
        said = run.snakemake("results/media/audio/A101.json", expect=1)
        assert "no room is left on the disk of" in said
        ballast.unlink()
        run.snakemake("results/media/audio/A101.json")
        assert run.manifest("media/audio/A101")["status"]["A101_ang_int1_ver1"] == "ok"


@pytest.mark.soak
def test_a_whole_run_on_a_disk_that_fills_up_again_and_again_ends_with_the_stores_of_an_undisturbed_one(mini_folder, finished, tmp_path):
    (tmp_path / "data").symlink_to(mini_folder / "data")
    megabytes, full = 1, 0
    with mounted(tmp_path / "run", "1m") as folder:
        run = Run(folder, MINI)
        while megabytes < 200:
            said = run.snakemake("all", "media", expect=None)
            if "(100%) done" in said:
                break
            assert "No space left on device" in said or "no room is left" in said, said
            full, megabytes = full + 1, megabytes * 2
            subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(folder)], check=True)
            run.snakemake("--unlock")
        assert full >= 3
        assert run.digests() == finished.digests()
