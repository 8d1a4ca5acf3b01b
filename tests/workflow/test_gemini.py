"""The whole run with an encoder that asks an API: what fails is asked for again, nothing else is, and the key is nowhere."""

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from gemini_server import GeminiServer
from workflow.runs import Run, rules
from workflow.test_mini import overlay

pytestmark = pytest.mark.workflow
SECRET = "AIzaSy-a-key-that-must-not-be-found-0123456789"
FORMS = (SECRET.encode(), base64.b64encode(SECRET.encode()).rstrip(b"="), SECRET[8:30].encode())


@contextmanager
def command_lines() -> Iterator[set[bytes]]:
    """Every command line that a process of this machine has meanwhile."""
    seen: set[bytes] = set()
    over = Event()

    def look() -> None:
        while not over.wait(0.05):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue  # it has ended

    thread = Thread(target=look)
    thread.start()
    yield seen
    over.set()
    thread.join()


def test_a_failing_clip_is_asked_for_again_and_no_file_or_command_line_holds_the_key(mini_folder, tmp_path):
    shutil.copytree(mini_folder / "data", tmp_path / "data")
    run = Run(tmp_path / "run", overlay(encoders=["gemini"], features={"gemini": {"confirm_upload": True, "patience_s": 1.0}}))
    failing: list[str] = []

    def fault(before: int, digest: str) -> str | None:
        failing[:] = failing or [digest]
        return "unavailable" if digest in failing and "over" not in failing else None

    with GeminiServer(fault=fault) as server, command_lines() as lines:
        environment = server.environment | {"GEMINI_API_KEY": SECRET}
        said = run.snakemake("gemini", "--keep-going", expect=1, **environment)
        assert "1 of 3 clips got no embedding" in said
        assert sorted(server.answered.values()) == [0] + [1] * 11
        failing.append("over")
        said += run.snakemake("gemini", **environment)
    assert "embed_gemini" in rules(run.stale("gemini"))  # nothing that a stand-in answered counts as Google's
    assert run.manifest("features/gemini")["status_counts"] == {"ok": 12}
    assert set(server.answered.values()) == {1}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"zarr.json", "config.yaml"} <= {path.name for path in files}
    assert any(path.suffix == ".log" and path.stat().st_size for path in files)
    assert len(list((run.folder / "api_replies").glob("*.json"))) == 12
    assert len(lines) > 10
    assert not [text for text in (said.encode(), *lines) if any(form in text for form in FORMS)]
    assert not [path for path in files if any(form in path.read_bytes() for form in FORMS)]
