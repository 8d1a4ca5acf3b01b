"""Wording of what is wrong with a user's input: all of it at once, with the nearest known name."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from blemore.job import BadInput

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
SHOWN = 20
TYPE_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "a block",
}


def refuse(problems: Sequence[str], where: str) -> None:
    """Raises BadInput with every problem once, the first 20 in full; nothing happens if there is none."""
    problems = list(dict.fromkeys(problems))
    if len(problems) == 1:
        raise BadInput(problems[0])
    if problems:
        rest = len(problems) - SHOWN
        lines = [*problems[:SHOWN], *([f"and {rest} more."] if rest > 0 else [])]
        raise BadInput(f"{len(problems)} problems in {where}:\n" + "\n".join(f"  - {line}" for line in lines))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean fps?`, or what is known where nothing is near."""
    names = sorted(known)
    near = get_close_matches(word, names, n=2)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names) or 'none'}."


@cache
def load_schema(name: str) -> dict[str, Any]:
    """`workflow/schemas/{name}.schema.yaml`."""
    import yaml

    return yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text())


def validator(schema: Mapping[str, Any]) -> Any:
    """Compiled JSON schema (2020-12) in which 5.0 is no whole number and nan no number."""
    # Imported here: modules that jobs and the parsing of the Snakefile load must not wait for it.
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    checker = Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool))
    checker = checker.redefine("number", lambda _, value: isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value))
    return extend(Draft202012Validator, type_checker=checker)(schema)


def expectation(schema: Mapping[str, Any]) -> str:
    """What a schema allows, in words: `a whole number from 1 to 100, or null`."""
    if "anyOf" in schema:
        return ", or ".join(expectation(option) for option in schema["anyOf"])
    if "enum" in schema:
        return "one of " + ", ".join("null" if value is None else str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    first, *others = (TYPE_NAMES[name] for name in types)
    return ", or ".join([first + "".join(_limits(schema)), *others])


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    smallest, largest = schema.get("minimum"), schema.get("maximum")
    if smallest is not None and largest is not None:
        yield f" from {smallest} to {largest}"
    elif smallest is not None:
        yield f" of at least {smallest}"
    if "exclusiveMinimum" in schema:
        yield f" above {schema['exclusiveMinimum']}" + (f" and at most {largest}" if largest is not None else "")
    if "exclusiveMaximum" in schema:
        yield f" and below {schema['exclusiveMaximum']}"
    if "pattern" in schema:
        yield f" that matches {schema['pattern']}"
    if "minLength" in schema:
        yield " that is not empty"
    if "maxLength" in schema:
        yield f" of at most {schema['maxLength']} characters"
    if "items" in schema:
        yield from _list_limits(schema)


def _list_limits(schema: Mapping[str, Any]) -> Iterator[str]:
    fewest, most = schema.get("minItems"), schema.get("maxItems")
    if fewest is not None and fewest == most:
        yield f" of {fewest}"
    elif fewest:
        yield f" of at least {fewest}"
    if schema.get("uniqueItems"):
        yield ", each once"
    yield f" (each {expectation(schema['items'])})"
