import json
import subprocess
import sys

import pytest
from unit.test_environments import rule_scripts

from blemore import settings
from blemore.settings import CHANGES_NO_NUMBER, digest, fingerprint, pick, reached

CONFIG = {"media": {"faces": {"size": 160, "margin": 0.2, "more": {"b": 1, "a": 2}}}}
SCRIPTS = settings.SCRIPTS


def test_only_the_named_settings_are_picked_and_their_order_never_varies():
    assert list(pick(CONFIG, "media.faces", ["size", "margin"]).items()) == [("margin", 0.2), ("size", 160)]
    assert list(pick(CONFIG, "media.faces", ["more"])["more"]) == ["a", "b"]


def test_a_setting_that_is_not_there_is_an_error():
    with pytest.raises(KeyError, match="colour"):
        pick(CONFIG, "media.faces", ["colour"])


def source(tmp_path, text):
    path = tmp_path / f"{abs(hash(text))}.py"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "same",
    [
        'def f(x):\n    """Doc."""\n    return x + 1\n',
        "# why\ndef f(x):\n    return x + 1  # here\n",
        "def f( x ):\n\n    return (x + 1)\n",
        '"""Module."""\n\ndef f(x):\n    return x+1\n',
    ],
)
def test_comments_docstrings_and_formatting_do_not_count(tmp_path, same):
    assert digest(source(tmp_path, same)) == digest(source(tmp_path, "def f(x):\n    return x + 1\n"))


@pytest.mark.parametrize("other", ["def f(x):\n    return x + 2\n", "def f(y):\n    return y + 1\n", "def f(x):\n    'a' + 'b'\n    return x + 1\n"])
def test_code_counts(tmp_path, other):
    assert digest(source(tmp_path, other)) != digest(source(tmp_path, "def f(x):\n    return x + 1\n"))


def test_the_fingerprint_names_every_module_that_is_reached():
    names = set(fingerprint("gather_features.py", env="plain"))
    assert names >= {"gather_features.py", "blemore/stores.py", "blemore/features/gather.py", "envs/plain.yaml", "blemore/__init__.py"}
    assert "blemore/features/wav2vec2.py" not in names


def test_modules_that_change_no_number_are_exactly_these():
    assert {"blemore/job.py", "blemore/memory.py"} == CHANGES_NO_NUMBER


def test_they_are_in_no_fingerprint_and_every_other_module_is(repository):
    for script, env in rule_scripts(repository):
        modules = {path.relative_to(SCRIPTS).as_posix() for path in reached(SCRIPTS / script)}
        found = {name for name in fingerprint(script, env) if not name.startswith("envs/")}
        assert "blemore/job.py" in modules, script
        assert found == modules - {"blemore/job.py", "blemore/memory.py"}, script
        assert {script, "blemore/__init__.py"} <= found


def test_a_comment_in_an_environment_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "ENVS", tmp_path)
    digests = []
    for text in ("dependencies:\n  - numpy==2\n", "# why\ndependencies:\n\n  - numpy==2   # here\n", "dependencies:\n  - numpy==3\n"):
        (tmp_path / "plain.yaml").write_text(text)
        digests.append(fingerprint("gather_features.py", env="plain")["envs/plain.yaml"])
    assert digests[0] == digests[1] != digests[2]


WATCHED = """
import json, runpy, sys
folder, *names = sys.argv[1:]
sys.path.insert(0, folder)
found = {}
for name in names:
    for module in [module for module in sys.modules if module.split(".")[0] == "blemore"]:
        del sys.modules[module]
    runpy.run_path(f"{folder}/{name}")
    found[name] = [module for module in sys.modules if module.split(".")[0] == "blemore"]
print(json.dumps([found, sorted({"torch", "transformers"} & set(sys.modules))]))
"""
IN_TORCH = {script for script, env in rule_scripts(SCRIPTS.parents[1]) if env == "torch"} - {"fetch_weights.py"}
WITHOUT_TRANSFORMERS = {"train_head.py", "retrain_head.py", "track_faces.py", "predict_head.py", "export_system.py"}
GROUPS = {  # scripts -> what of torch and transformers they may import
    "no model": ({path.name for path in SCRIPTS.glob("*.py")} - IN_TORCH, set()),
    "heads and detection": (WITHOUT_TRANSFORMERS, {"torch"}),
    "pretrained models": (IN_TORCH - WITHOUT_TRANSFORMERS, {"torch", "transformers"}),
}


@pytest.mark.parametrize("group", GROUPS)
def test_the_imports_found_are_those_python_makes(group):
    """Each script as Python imports it, all of a group in one process, since torch and transformers take seconds."""
    names, heavy_allowed = GROUPS[group]
    done = subprocess.run([sys.executable, "-c", WATCHED, str(SCRIPTS), *sorted(names)], capture_output=True, text=True, check=True)
    really, heavy = json.loads(done.stdout.splitlines()[-1])
    assert really.keys() == names
    assert set(heavy) <= heavy_allowed
    for name, modules in really.items():
        found = {path.relative_to(SCRIPTS).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__") for path in reached(SCRIPTS / name)}
        assert set(modules) <= found, name


def test_what_snakemake_parses_with_needs_no_package_that_snakemake_lacks():
    modules = (
        "configuration",
        "data.catalogue",
        "data.validation",
        "features.readiness",
        "features.weights",
        "prediction.new_clips",
        "prediction.system",
        "settings",
    )
    code = f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); " + "; ".join(f"import blemore.{module}" for module in modules)
    code += "; print(sorted({'numpy', 'pandas', 'yaml', 'jsonschema', 'zarr', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
