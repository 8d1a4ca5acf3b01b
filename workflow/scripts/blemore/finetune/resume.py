"""The state of a training that was stopped, kept outside the results until it succeeds."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from blemore.job import BadInput


class Resume:
    """One file, named by the digest of all that determines the training, so that no other training ever goes on from it.

    Args:
        folder: `runtime.resume`.
        identity: settings, code, inputs, seed: what `stores.provenance` gives, and the seed.
    """

    def __init__(self, folder: str | Path, identity: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self.path = Path(folder) / f"{digest[:32]}.pt"

    def read(self, device: str) -> dict[str, Any] | None:
        """What was saved last; None where nothing was.

        Raises:
            BadInput: if it is damaged.
        """
        try:
            return torch.load(self.path, map_location=device, weights_only=True) if self.path.is_file() else None
        except Exception as error:  # torch, zipfile and pickle each raise their own
            raise BadInput(f"{self.path} cannot be read ({type(error).__name__}); delete it, and the training begins anew.") from error

    def write(self, state: Mapping[str, Any]) -> None:
        """Replaces what was saved before; a kill in between leaves that."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".partial")
        with open(unfinished, "wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, self.path)

    def remove(self) -> None:
        """Forgets the training, which has succeeded."""
        self.path.unlink(missing_ok=True)
