"""What a user's own encoder consists of: its words, and the files that decide its numbers. Standard library only, because Snakemake parses with it."""

import json
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from blemore.settings import SHORT, digest, sha256

PLACEHOLDERS = ("{inputs}", "{outputs}")
READ_BYTES = 2**24  # larger files, of weights, are told apart by their size while Snakemake parses; their digest is in the store


def program_files(encoder: Mapping[str, Any]) -> list[str]:
    """The file of the function, or the words of the command that are files, and what is named in `files`."""
    named = [encoder["function"].rpartition(":")[0]] if encoder["function"] else [word for word in shlex.split(encoder["command"]) if Path(word).is_file()]
    return list(dict.fromkeys([*named, *encoder["files"]]))


def versions(encoder: Mapping[str, Any], stores: Iterable[str | Path] = ()) -> dict[str, str | int | None]:
    """File -> what changes with its content: of Python code without comments and formatting, of large files the size.

    Args:
        stores: a shard that was made by them, the gathered store: a file that is gone counts as the first that is there knows it, so that its loss
            makes nothing stale; without any it is None.
    """
    recorded = next(filter(None, map(_recorded, stores)), {})
    words = shlex.split(encoder["command"] or "")
    files = {*program_files(encoder), *(file for file in recorded if file in words)}
    return {file: recorded.get(file) if (version := _version(Path(file))) is None else version for file in sorted(files)}


def _recorded(store: str | Path) -> dict[str, str | int | None]:
    """Nothing of a store that is absent or damaged, which whoever reads it says."""
    try:
        attributes = json.loads(Path(store, "zarr.json").read_text())["attributes"]
        return dict(attributes.get("extraction", attributes)["versions"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _version(path: Path) -> str | int | None:
    if not path.is_file():
        return None
    if path.stat().st_size > READ_BYTES:
        return path.stat().st_size
    try:
        return digest(path) if path.suffix == ".py" else sha256(path)[:SHORT]
    except (SyntaxError, ValueError):  # Python may be written in another encoding than UTF-8
        return sha256(path)[:SHORT]


def lacking(encoder: Mapping[str, Any]) -> list[str]:
    """Files and the program that are not there."""
    absent = [file for file in program_files(encoder) if not Path(file).is_file()]
    program = "" if encoder["function"] else shlex.split(encoder["command"])[0]
    return absent + [program] * bool(program and not shutil.which(program))


def problems(name: str, encoder: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the settings of such an encoder."""
    command = encoder["command"]
    if bool(command) == bool(encoder["function"]):
        yield f"features.{name} needs either a command or a function; set the other one to null."
        return
    try:
        words = shlex.split(command or "")
    except ValueError as error:
        yield f"features.{name}.command cannot be split into words ({error}); close its quotes."
        return
    if command and (absent := [place for place in PLACEHOLDERS if not any(place in word for word in words)]):
        yield f"features.{name}.command does not hold {' and '.join(absent)}; add what stands for the folders that it reads and writes."
