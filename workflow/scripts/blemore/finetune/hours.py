"""How long fine-tuning will take. Standard library only."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from blemore.finetune.recipes import resolve


class Pace(NamedTuple):
    """Seconds of one core at real size, for one clip."""

    step: float  # forward, backward and update
    view: float  # forward alone


# Measured with random weights on one core that others used too; batches of 2 clips for S4D and 3 s of sound, of 1 for the others.
PACES = {"s4d": Pace(3.1, 2.0), "videomae": Pace(13.4, 4.3), "timesformer": Pace(14.2, 4.7), "wav2vec2_finetuned": Pace(1.6, 0.5)}


def hours_of_one_core(encoder: Mapping[str, Any], clips: int, folds: int) -> float:
    """All folds and seeds, every epoch of the recipe: two folds' clips do not teach, one of them stops the training."""
    settings, pace, views = resolve(encoder), PACES[encoder["kind"]], encoder.get("views", {"segments": 1, "crops": 1})
    judged_s = views["segments"] * views["crops"] * pace.view
    epoch_s = (max(folds - 2, 1) * pace.step + judged_s) / max(folds, 1)
    return folds * len(encoder["seeds"]) * clips * (settings["training"]["epochs"] * epoch_s + judged_s) / 3600
