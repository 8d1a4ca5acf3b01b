"""`--use-conda`, with a stand-in for conda: every rule runs with the packages of its environment and no other."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from unit.test_environments import environment, rule_scripts
from workflow.conftest import MINI, STAND_IN, check_demo_score
from workflow.runs import REPOSITORY, Run

from blemore.settings import SCRIPTS

pytestmark = pytest.mark.workflow
CONDA = REPOSITORY / "tests" / "conda"
PINNED = {"UV_CONSTRAINT": str(REPOSITORY / "requirements.txt"), "PATH": f"{CONDA}:{os.environ['PATH']}"}
IGNORED = shutil.ignore_patterns(".git", ".venv", "run", ".snakemake", ".*_cache", "__pycache__")


@pytest.fixture(scope="module")
def snakemake_alone(tmp_path_factory):
    """Snakemake from an environment without the packages of the rules, into whose interpreters it would carry them."""
    folder = tmp_path_factory.mktemp("alone")
    pin = re.search(r"(?m)^snakemake==\S+$", (REPOSITORY / "requirements.txt").read_text()).group()
    for command in (["venv", "--python", sys.executable], ["pip", "install", "--python", f"{folder}/bin/python", pin]):
        subprocess.run(["uv", *command, *([str(folder)] if command[0] == "venv" else [])], check=True, capture_output=True, env=os.environ | PINNED)
    return (f"{folder}/bin/python", "-m", "snakemake")


@pytest.fixture(scope="module")
def conda(snakemake_alone, mini_folder, tmp_path_factory):
    """One run of mini, on one core and in another order, and the folder that holds the environments it made."""
    folder = tmp_path_factory.mktemp("conda")
    shutil.copytree(mini_folder / "data", folder / "data")
    run = Run(folder / "run", MINI)
    run.launcher = snakemake_alone
    run.snakemake("all", "media", "--use-conda", "--scheduler", "greedy", cores=1, **PINNED)
    return run


def normalized(package):
    """One spelling of a package's name, as registries compare them."""
    return package.lower().replace("_", "-")


def made(run):
    """Name of an environment -> its interpreter."""
    files = sorted((run.folder / ".snakemake/conda").glob("*.yaml"))
    names = {(REPOSITORY / "envs" / f"{name}.yaml").read_text(): name for name in ("plain", "torch")}
    return {names[file.read_text()]: file.with_suffix("") / "bin" / "python" for file in files}


def test_with_declared_packages_alone_on_one_core_and_in_another_order_no_bit_changes(conda, finished):
    assert conda.digests() == finished.digests()
    for file in ("fusion/all/decisions.csv", "fusion/all/test_decisions.csv", "report/scores.csv", "submission/all/pooled.zip", "submission/submissions.csv"):
        assert (conda.folder / "results" / file).read_bytes() == (finished.folder / "results" / file).read_bytes()


def test_snakemake_brings_no_package_of_the_rules(snakemake_alone):
    code = "from importlib.util import find_spec; print([name for name in ('numpy', 'pandas', 'zarr', 'torch', 'av') if find_spec(name)])"
    assert subprocess.run([snakemake_alone[0], "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize("name", ["plain", "torch"])
def test_an_environment_holds_its_pins_and_imports_every_script_outside_snakemake(conda, repository, name):
    python = made(conda)[name]
    listed = subprocess.run(["uv", "pip", "freeze", "--python", python], capture_output=True, text=True, check=True).stdout
    held = dict(normalized(line).split("==") for line in listed.splitlines())
    assert {normalized(package): pin for package, pin in environment(repository, name).items()}.items() <= held.items()
    scripts = [script for script, env in rule_scripts(repository) if env == name]
    code = f"import runpy, sys; sys.path.insert(0, {str(SCRIPTS)!r}); [runpy.run_path({str(SCRIPTS)!r} + '/' + script) for script in {scripts}]"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_rule_fails_where_its_environment_lacks_what_it_imports(snakemake_alone, mini_folder, tmp_path):
    checkout = tmp_path / "checkout"
    shutil.copytree(REPOSITORY, checkout, ignore=IGNORED)
    plain = checkout / "envs" / "plain.yaml"
    plain.write_text("".join(line for line in plain.read_text().splitlines(keepends=True) if "pandas" not in line and "xarray" not in line))
    (tmp_path / "data").symlink_to(mini_folder / "data")
    run = Run(tmp_path / "run", MINI, checkout / "Snakefile")
    run.launcher = snakemake_alone
    assert "ModuleNotFoundError: No module named 'pandas'" in run.snakemake("results/data/sheet.csv", "--use-conda", expect=1, **PINNED)


@pytest.mark.soak
def test_the_demo_runs_with_conda(snakemake_alone, demo):
    demo.launcher = (*STAND_IN, *snakemake_alone)
    demo.snakemake("all", "media", "--use-conda", **PINNED)
    check_demo_score(demo)
