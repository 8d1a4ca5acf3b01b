"""scores.json of an ensemble, which decides the test clips: with digests of itself and of the tables beside it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from blemore.job import BadInput
from blemore.settings import json_sha256, sha256
from blemore.stores import write_json


def write_scores(path: str | Path, scores: Mapping[str, Any], tables: Iterable[str | Path]) -> None:
    """Writes scores.json, after the tables."""
    content = json.loads(json.dumps({**scores, "tables": {Path(table).name: sha256(Path(table)) for table in tables}}))
    write_json(path, {**content, "sha256": json_sha256(content)})


def read_scores(path: str | Path) -> dict[str, Any]:
    """What `write_scores` wrote.

    Raises:
        BadInput: if it, or a table beside it, is not as it was written.
    """
    try:
        content = json.loads(Path(path).read_text())
        whole = content.pop("sha256") == json_sha256(content)
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        whole = False
    if not whole:
        raise BadInput(f"{path} is damaged; delete it and run again.")
    for name, digest in content["tables"].items():
        table = Path(path).with_name(name)
        if not table.is_file() or sha256(table) != digest:
            raise BadInput(f"{table} is not the table that {path} was written with; delete both and run again.")
    return content
