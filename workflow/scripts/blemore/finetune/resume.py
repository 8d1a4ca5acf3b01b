"""The state of a training that was stopped, kept outside the results until the run succeeds."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from blemore.job import BadInput
from blemore.settings import json_sha256

FINISHED = ".finished.pt"


class Resume:
    """One file, named by the digest of all that determines the training, so that no other training ever goes on from it.

    Args:
        folder: `runtime.resume`.
        identity: settings, code, inputs, seed: what `stores.provenance` gives, and the seed.
    """

    def __init__(self, folder: str | Path, identity: Mapping[str, Any]) -> None:
        self.path = Path(folder) / f"{json_sha256(identity)[:32]}.pt"
        self.finished = self.path.with_suffix(FINISHED)

    def read(self, device: str) -> dict[str, Any] | None:
        """What was saved last; None where nothing was.

        Raises:
            BadInput: if it is damaged.
        """
        there = [path for path in (self.path, self.finished) if path.is_file()]
        try:
            return _load(there[0], device) if there else None
        except Exception as error:  # torch, zipfile and pickle each raise their own
            raise BadInput(f"{there[0]} cannot be read ({type(error).__name__}); delete it, and the training begins anew.") from error

    def write(self, state: Mapping[str, Any]) -> None:
        """Replaces what was saved before; a kill in between leaves that."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".partial")
        with open(unfinished, "wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self.path)

    def finish(self) -> None:
        """The training has succeeded. The state stays until the run does: if Snakemake is killed before it records the job, the job is done again."""
        if self.path.is_file():
            os.replace(self.path, self.finished)


def _load(path: Path, device: str) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        if archive.testzip():  # torch.load does not compare the checksums
            raise zipfile.BadZipFile
    return torch.load(path, map_location=device, weights_only=True)
