"""Pins stand once in requirements.txt; the environments of the rules repeat them and hold all that their scripts import."""

import ast
import re
import sys

import pytest
import yaml

from blemore.settings import SCRIPTS, reached

PACKAGE_OF = {
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "yaml": "PyYAML",
    "jinja2": "Jinja2",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "google": "google-genai",
}
NO_DEPENDENCIES = {"facenet-pytorch": {"requests", "tqdm", "pillow", "torchvision", "numpy"}}


def pins(text):
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def direct(repository):
    return pins((repository / "requirements.txt").read_text().split("# What they bring along.")[0])


def test_every_pin_has_a_digest_and_nothing_else_has(repository):
    files = ("requirements.txt", "requirements-nodeps.txt")
    pinned = {f"{name}=={number}" for file in files for name, number in pins((repository / file).read_text()).items()}
    lines = (repository / "requirements-hashes.txt").read_text().splitlines()[1:]
    found = [re.fullmatch(r"(\S+==\S+) --hash=sha256:[0-9a-f]{64}", line).group(1) for line in lines]
    assert {normal(pin) for pin in pinned} == {normal(pin) for pin in found}
    assert len(found) == len(pinned)


def normal(pin):
    return re.sub(r"[-_.]+", "-", pin.partition("==")[0]).lower() + "==" + pin.partition("==")[2]


def environment(repository, name):
    listed = yaml.safe_load((repository / "envs" / f"{name}.yaml").read_text())["dependencies"]
    script = repository / "envs" / f"{name}.post-deploy.sh"
    after = re.findall(r"(?<=--no-deps )\S+", script.read_text()) if script.exists() else []
    return pins("\n".join([*next(entry["pip"] for entry in listed if isinstance(entry, dict)), *after]))


def imported(path):
    """Packages from outside the standard library and the project that one file imports, as they are called in the registry."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    tops = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"blemore"}
    return {PACKAGE_OF.get(name, name.replace("_", "-") if name != "huggingface_hub" else name) for name in tops}


def rule_scripts(repository):
    text = "\n".join(path.read_text() for path in sorted((repository / "rules").glob("*.smk")))
    return re.findall(r'fingerprint\(\s*"(\w+\.py)",\s*env="(\w+)"\s*\)', text)


@pytest.mark.parametrize("name", ["plain", "torch", "gemini"])
def test_environments_repeat_the_tested_pins(repository, name):
    tested = pins((repository / "requirements.txt").read_text()) | pins((repository / "requirements-nodeps.txt").read_text())
    listed = environment(repository, name)
    assert listed
    assert {package: tested.get(package) for package in listed} == listed


def test_every_environment_is_tested_here(repository):
    assert {path.stem for path in (repository / "envs").glob("*.yaml")} == {"plain", "torch", "gemini"}


def test_every_rule_with_a_script_is_seen(repository):
    assert {script for script, _ in rule_scripts(repository)} == {path.name for path in SCRIPTS.glob("*.py")} - {
        "check.py",
        "difference.py",
        "gemini_estimate.py",
        "inspect_store.py",
        "validate_stores.py",
        "validate_submission.py",
        "why_stale.py",
    }


def test_an_environment_holds_what_its_scripts_import(repository):
    for script, env in rule_scripts(repository):
        needed = set().union(*(imported(path) for path in reached(SCRIPTS / script))) - {"snakemake"}
        assert needed <= environment(repository, env).keys(), (script, env)


def test_what_is_installed_without_dependencies_has_them(repository):
    listed = environment(repository, "torch")
    for package, needs in NO_DEPENDENCIES.items():
        assert package in listed
        assert needs <= listed.keys()


def test_every_direct_requirement_is_imported(repository, direct):
    files = [*SCRIPTS.rglob("*.py"), *(repository / "demo").glob("*.py"), *(repository / "rules").glob("*.py")]
    used = set().union(*(imported(path) for path in files)) | {"timm", "torchvision"}  # transformers imports them
    assert direct.keys() - used == {"pyarrow", "xarray"}  # what pandas writes parquet with; how users open stores, as the tests do


@pytest.mark.parametrize("package", ["snakemake", "torch", "transformers", "opencv-python-headless", "librosa", "h5py", "zarr", "scikit-learn", "scipy"])
def test_packages_that_the_users_named_are_direct_requirements(direct, package):
    assert package in direct
