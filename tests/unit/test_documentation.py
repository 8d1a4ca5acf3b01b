"""What is written from something else is current."""

import importlib.util
import re


def test_the_reference_of_settings_is_that_of_the_schema(repository):
    specification = importlib.util.spec_from_file_location("make_configuration", repository / "docs" / "make_configuration.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert (repository / "docs" / "configuration.md").read_text() == module.reference(), "run python docs/make_configuration.py"


def test_every_rule_in_the_graph_exists(repository):
    rules = set(re.findall(r"(?m)^\s*rule (\w+):", "\n".join(path.read_text() for path in [*repository.glob("rules/*.smk"), repository / "Snakefile"])))
    shown = set(re.findall(r"(?m)^\s*id\d+\[(\w+)\]", (repository / "docs" / "rulegraph.md").read_text()))
    assert {"check_sheet", "track_faces", "gather_features", "train_head", "fuse", "report"} <= shown <= rules
