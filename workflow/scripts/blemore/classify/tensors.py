"""Heads as files of tensors that tell of damage. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from blemore.job import BadInput
from blemore.stores import content_digest

DIGEST = "content_sha256"


def write_tensors(path: str | Path, tensors: Mapping[str, NDArray]) -> None:
    """Writes safetensors with the digest of their content in the file's own metadata."""
    save_file(dict(tensors), path, {DIGEST: content_digest(tensors)})


def read_tensors(path: str | Path) -> dict[str, NDArray]:
    """Tensors by name, compared with the digest that was written with them.

    Raises:
        BadInput: if they are not what was written.
    """
    try:
        with safe_open(path, "numpy") as file:
            stated = (file.metadata() or {}).get(DIGEST)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except (SafetensorError, KeyError, TypeError) as error:  # the second and third of a type that numpy does not know
        raise BadInput(f"{path} is damaged ({error}); delete it and run again.") from None
    if stated != content_digest(tensors):
        raise BadInput(f"{path} does not hold the head that was written; delete it and run again.")
    return tensors
