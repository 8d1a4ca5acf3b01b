"""What is kept outside the results tells of faces and voices too: it is closed to others."""

import os

import numpy as np
import torch

from blemore.features import gemini
from blemore.finetune.resume import Resume
from blemore.job import keep_private


class Service:
    def embed(self, parts) -> np.ndarray:
        return np.eye(1, gemini.FULL_DIMENSION, dtype=np.float32)[0]


def test_replies_and_states_of_trainings_are_closed_to_others(tmp_path):
    before = os.umask(0o022)
    try:
        keep_private()
        gemini.embed_all({"a": (tmp_path / "api_replies" / "reply.json", {})}, lambda clip: [], Service, 1)
        Resume(tmp_path / "resume", {}).write({"weights": torch.zeros(2)})
    finally:
        os.umask(before)
    made = list(tmp_path.rglob("*"))
    assert {path.suffix for path in made} >= {"", ".json", ".pt"}
    assert [path for path in made if path.stat().st_mode & 0o007] == []
