"""The default configuration, for tests that change it."""

import copy
from typing import Any

import pytest
import yaml


@pytest.fixture(scope="session")
def default(repository) -> dict[str, Any]:
    return yaml.safe_load((repository / "config.yaml").read_text())


@pytest.fixture
def config(default) -> dict[str, Any]:
    return copy.deepcopy(default)
