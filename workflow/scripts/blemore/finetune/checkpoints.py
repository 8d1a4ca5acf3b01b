"""Whether a fine-tuned checkpoint is as its training left it. Imports no torch."""

import json
from pathlib import Path

from blemore.job import BadInput
from blemore.settings import folder_sha256, sha256
from blemore.stores import write_json

DIGESTS = "sha256.json"


def finish_checkpoint(folder: Path) -> None:
    """Writes, last, the SHA-256 of every file into the folder of a model's seeds."""
    write_json(folder / DIGESTS, folder_sha256(folder))


def check_checkpoint(folder: Path) -> None:
    """Compares every file with its SHA-256.

    Raises:
        BadInput: naming the first that is absent or another.
    """
    try:
        stated = json.loads((folder / DIGESTS).read_text())
        wrong = next((name for name, digest in stated.items() if not (folder / name).is_file() or sha256(folder / name) != digest), None)
    except (FileNotFoundError, ValueError, AttributeError):
        wrong = DIGESTS
    if wrong:
        raise BadInput(f"{folder / wrong} is not what the training left; delete {folder} and run again.")
