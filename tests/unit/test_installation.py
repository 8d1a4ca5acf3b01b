"""What pip would install from a checkout, for notebooks."""

import email
import shutil
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    """Metadata and files of the package, built from a copy, since building leaves files beside the sources."""
    copy, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("metadata")
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(repository / name, copy)
    shutil.copytree(repository / "workflow" / "scripts", copy / "workflow" / "scripts", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    code = f"from setuptools import build_meta; print(build_meta.prepare_metadata_for_build_wheel({str(out)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    folder = out / done.stdout.splitlines()[-1]
    sources = next(out.rglob("SOURCES.txt")).read_text().splitlines()
    return email.message_from_string((folder / "METADATA").read_text()), (folder / "top_level.txt").read_text().split(), sources


def test_the_package_is_all_that_is_installed(wheel, repository):
    _, top_level, sources = wheel
    assert top_level == ["blemore"]
    modules = {path.relative_to(repository).as_posix() for path in (repository / "workflow/scripts/blemore").rglob("*.py")}
    assert modules <= set(sources)


def test_its_dependencies_are_the_tested_versions(wheel, repository):
    lines = (repository / "requirements.txt").read_text().splitlines()
    pinned = {line for line in lines if "==" in line}
    assert set(wheel[0].get_all("Requires-Dist")) == pinned
    assert wheel[0]["License-Expression"] == "Apache-2.0"
