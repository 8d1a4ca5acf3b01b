"""What decides whether a result is current: the settings a rule reads and the code it runs. Standard library only."""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).resolve().parents[1]
ENVS = SCRIPTS.parents[1] / "envs"
CHANGES_NO_NUMBER = {"blemore/job.py", "blemore/memory.py"}
SHORT = 12  # characters of a digest that tell contents apart


def pick(config: Mapping[str, Any], block: str, names: Iterable[str]) -> dict[str, Any]:
    """The named settings of a dotted block, keys sorted at every depth.

    Snakemake compares params by their printed form, so the order must not vary.

    Raises:
        KeyError: if the block or one of the names is not configured.
    """
    for key in block.split("."):
        config = config[key]
    return {name: _ordered(config[name]) for name in sorted(names)}


def _ordered(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def fingerprint(script: str, env: str) -> dict[str, str]:
    """Digest of a script, of every project module that it reaches, and of the environment it runs in.

    Snakemake sees an edit of the script alone, not of what the script imports.

    Args:
        script: file name under `workflow/scripts`.
        env: name of the environment, `envs/{env}.yaml`.
    """
    found = {path.relative_to(SCRIPTS).as_posix(): digest(path) for path in reached(SCRIPTS / script)}
    for name in (f"{env}.yaml", f"{env}.post-deploy.sh"):
        if (ENVS / name).is_file():
            lines = (line.split("#")[0].rstrip() for line in (ENVS / name).read_text().splitlines())
            found[f"envs/{name}"] = _short("\n".join(line for line in lines if line))
    return {name: found[name] for name in sorted(found) if name not in CHANGES_NO_NUMBER}


def file_digests(folder: str, endings: Iterable[str]) -> dict[str, str]:
    """Digest of each file with one of the endings in a folder of the repository, for what scripts read beside code."""
    found = {path.name: path for ending in endings for path in (SCRIPTS.parents[1] / folder).glob(f"*.{ending}")}
    return {name: _short(found[name].read_text()) for name in sorted(found)}


def reached(script: Path) -> set[Path]:
    """The script and all project modules that it imports, directly or not; packages' `__init__` included."""
    waiting, found = [script], set()
    while waiting:
        source = waiting.pop()
        if source not in found:
            found.add(source)
            waiting += _project_imports(source)
    return found


@cache
def _project_imports(source: Path) -> list[Path]:
    tree = ast.parse(source.read_text())
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    names = {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
    names |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    parts = [name.split(".") for name in names]
    candidates = [SCRIPTS.joinpath(*part[:depth]) for part in parts for depth in range(1, len(part) + 1)]
    return [file for path in candidates for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]


@cache
def digest(source: Path) -> str:
    """Digest of what the code does: comments, docstrings and formatting do not count."""
    tree = ast.parse(source.read_text())
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return _short(ast.unparse(tree))


def sha256(path: Path) -> str:
    """SHA-256 of a file of any size."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_sha256(content: Any) -> str:
    """SHA-256 of what JSON can say; the order of keys does not count."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def folder_sha256(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in a folder, by its path there."""
    return {path.relative_to(folder).as_posix(): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:SHORT]
