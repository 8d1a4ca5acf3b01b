"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]
SKIPPED = pytest.StashKey[str]()
# These machines are shared: no test is timed, and every run tries the same cases.
settings.register_profile("shared", deadline=None, derandomize=True)
settings.load_profile("shared")


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


def pytest_terminal_summary(terminalreporter, config):
    """Collects what was skipped, for the last line of all."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = sorted({report.longrepr[2] for report in skipped})
    config.stash[SKIPPED] = f"{len(skipped)} skipped: {'; '.join(reasons)}" if skipped else "nothing was skipped"


def pytest_unconfigure(config):
    """After pytest's own closing line, so that nobody misses it."""
    if SKIPPED in config.stash:
        print(config.stash[SKIPPED])
