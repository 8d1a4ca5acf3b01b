"""Writes docs/configuration.md from the schema and config.yaml: python docs/make_configuration.py"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import yaml  # noqa: E402

from blemore.configuration import kinds_of  # noqa: E402
from blemore.problems import expectation, load_schema  # noqa: E402

HEAD = """# Configuration

Every setting, what it may be, and its value in [config.yaml](../config.yaml).
Written from the schema by `python docs/make_configuration.py`; a test keeps it current.
Blocks of named things (encoders, heads, ensembles) take any name; what settings an encoder or a head takes follows from its `kind`.
"""


def reference() -> str:
    """The page as Markdown."""
    schema, config = load_schema("config"), yaml.safe_load((ROOT / "config.yaml").read_text())
    parts = [HEAD, "## Top level\n", *_table({name: part for name, part in schema["properties"].items() if not _is_block(part)}, config)]
    for name, part in schema["properties"].items():
        if _is_block(part):
            parts += [f"\n## {name}\n\n{part['description']}\n", *_table(dict(_flat(part)), config.get(name, {}))]
    for name, part in schema["$defs"].items():
        what, _, family = name.partition("_")
        if what in ("encoder", "head"):
            kinds = kinds_of(part)
            named = f"`kind: {'` or `'.join(kinds)}`, " + ("an entry of `features`" if what == "encoder" else "an entry of `classify.heads`")
            parts += [f"\n## {what.capitalize()}: {family}\n\n{part['description']} {named}.\n", *_table(part["properties"], _example(config, what, kinds))]
    return "\n".join(parts) + "\n"


def _is_block(part: dict[str, Any]) -> bool:
    return part.get("type") == "object"


def _flat(part: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Dotted name and schema of every setting of a block; a block of named things is one setting."""
    for name, inner in part.get("properties", {}).items():
        if _is_block(inner) and "properties" in inner:
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner


def _table(settings: dict[str, dict[str, Any]], values: Any) -> list[str]:
    rows = [f"| `{name}` | {part['description']} | {_allowed(part)} | {_value(name, part, values)} |" for name, part in settings.items()]
    return ["| setting | what it is | allowed | here |", "| --- | --- | --- | --- |", *rows] if rows else []


def _allowed(part: dict[str, Any]) -> str:
    return "named entries" if _is_block(part) else expectation(part).replace("|", "\\|")


def _value(name: str, part: dict[str, Any], values: Any) -> str:
    if _is_block(part):
        return "see config.yaml"
    for key in name.split("."):
        if not isinstance(values, dict) or key not in values:
            return ""
        values = values[key]
    return f"`{json.dumps(values, ensure_ascii=False)}`"


def _example(config: dict[str, Any], what: str, kinds: list[str]) -> dict[str, Any]:
    """The first entry of one of these kinds."""
    entries = config["features"] if what == "encoder" else config["classify"]["heads"]
    return next((entry for entry in entries.values() if entry.get("kind") in kinds), {})


if __name__ == "__main__":
    (ROOT / "docs" / "configuration.md").write_text(reference())
