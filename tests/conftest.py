"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def media_folder() -> Path:
    """Real recordings; skipped where they are absent, unless BLEMORE_TEST_MEDIA promises them."""
    named = os.environ.get("BLEMORE_TEST_MEDIA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "media"
    if not folder.is_dir():
        if named:
            pytest.fail(f"BLEMORE_TEST_MEDIA names {named}, which is no folder")
        pytest.skip("no real recordings: set BLEMORE_TEST_MEDIA to their folder")
    return folder


def pytest_terminal_summary(terminalreporter):
    """The last line says what was skipped, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = sorted({report.longrepr[2] for report in skipped})
    terminalreporter.write_line(f"{len(skipped)} skipped: {'; '.join(reasons)}" if skipped else "nothing was skipped")
