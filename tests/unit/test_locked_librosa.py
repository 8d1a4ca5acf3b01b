import fcntl
import subprocess
import sys

import pytest

from blemore.locked_librosa import LOCK


def test_no_two_processes_compile_at_once(repository):
    """What two of them write into numba's cache crashes every later process, so the second waits for the first."""
    code = "print('started', flush=True); from blemore.locked_librosa import librosa; print('imported', flush=True)"
    with open(LOCK, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = subprocess.Popen([sys.executable, "-c", code], cwd=repository / "workflow" / "scripts", stdout=subprocess.PIPE, text=True)
        assert second.stdout.readline() == "started\n"
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=5)
    assert second.communicate(timeout=300)[0] == "imported\n"


@pytest.mark.parametrize("folder", ["workflow/scripts", "demo", "tests", "benchmarks"])
def test_nothing_imports_librosa_beside_it(repository, folder):
    importing = [
        path.name
        for path in (repository / folder).rglob("*.py")
        if any(line.startswith(("import librosa", "from librosa")) for line in path.read_text().splitlines())
    ]
    assert importing == []
