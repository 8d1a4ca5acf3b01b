"""Stores that Snakemake has no record of, compared by what they say made them. Standard library only."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from blemore.job import BadInput
from blemore.problems import refuse

RECORDS = Path(".snakemake")
ABSENT = "absent"
ID_CHARACTERS = 254  # of a record's file name, beyond which Snakemake splits it


def is_foreign(store: str, records: Path = RECORDS) -> bool:
    """Whether a store is finished and Snakemake knows nothing of it: copied from elsewhere, or `.snakemake` was deleted."""
    return Path(store).with_suffix(".json").is_file() and not any(record_path(records / kind, store).exists() for kind in ("metadata", "incomplete"))


def record_path(folder: Path, store: str) -> Path:
    """Where Snakemake keeps what it knows of an output."""
    name = urlsafe_b64encode(store.encode()).decode()
    parts = [name[start : start + ID_CHARACTERS] for start in range(0, len(name), ID_CHARACTERS)]
    return folder.joinpath(*(f"@{part}" for part in parts[:-1]), parts[-1])


def made_by(store: str | Path) -> dict[str, Any]:
    """The settings in the attributes of a Zarr store: its own, a head's recipe, and of a gathered store those of the extraction.

    Raises:
        BadInput: if the store's metadata cannot be read.
    """
    try:
        attributes = json.loads((Path(store) / "zarr.json").read_text())["attributes"]
    except (OSError, ValueError, KeyError):
        raise BadInput(f"{store} has a manifest, but no zarr.json that says what made it; delete both, and they are made again.") from None
    found = {name: attributes[name] for name in ("settings", "recipe") if name in attributes}
    return found | ({"extraction": attributes["extraction"]["settings"]} if "extraction" in attributes else {})


def differences(stored: Any, today: Any, name: str = "") -> Iterator[str]:
    """`layers: [6, 12] -> [1, 5]` for every setting that differs, at any depth; absent counts as a value."""
    if isinstance(stored, Mapping) and isinstance(today, Mapping):
        for key in sorted({*stored, *today}):
            yield from differences(stored.get(key, ABSENT), today.get(key, ABSENT), f"{name}.{key}" if name else key)
    elif stored != today:
        yield f"{name}: {json.dumps(stored)} -> {json.dumps(today)}"


def check(today: Mapping[str, Mapping[str, Any]]) -> None:
    """Compares foreign stores with the settings of today.

    Args:
        today: store -> the settings that would make it now, in the form of `made_by`.

    Raises:
        BadInput: naming every setting that differs, of every store.
    """
    problems = []
    for store, settings in today.items():
        changed = list(differences(made_by(store), settings))
        if changed:
            problems.append(
                f"{store} has no record in .snakemake and was made with other settings ({'; '.join(changed)}); "
                "set them as they were, delete the store and its manifest to make it again, or set runtime.accept_foreign to true to use it as it is."
            )
    refuse(problems, "stores that came from elsewhere")
