"""What fine-tuning will take, in hours and memory. Standard library only."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from blemore.finetune.recipes import resolve


class Pace(NamedTuple):
    """Seconds at real size, for one clip."""

    step: float  # forward, backward and update
    view: float  # forward alone


# Of one core, as benchmarks/finetune.py measured it with random weights; batches of 2 clips.
PACES = {"s4d": Pace(2.9, 7.3 / 4), "videomae": Pace(12.5, 3.8), "timesformer": Pace(12.6, 4.2), "wav2vec2_finetuned": Pace(1.6, 0.9)}


class Memory(NamedTuple):
    """Megabytes of a job at its peak, at real size on a CPU."""

    model: float
    clip: float  # for each of a batch


# Peaks of the rules' scripts (VmHWM) with random weights: one step and a prediction, at two sizes of the batch.
PEAKS = {
    "s4d": Memory(1580, 233),
    "videomae": Memory(1560, 884),
    "timesformer": Memory(2140, 1412),
    "wav2vec2_finetuned": Memory(2170, 195),
}


def peak_mb(encoder: Mapping[str, Any]) -> float:
    """Memory of one job of an encoder."""
    model, clip = PEAKS[encoder["kind"]]
    return model + clip * resolve(encoder)["training"]["batch_size"]


def hours_of_model(pace: Pace, epochs: int, views: int, taught: float, stopping: float, predicted: float) -> float:
    """All epochs, each with a look at the clips that stop the training, and the prediction in the end; three numbers of clips."""
    judged_s = views * pace.view
    return (epochs * (taught * pace.step + stopping * judged_s) + predicted * judged_s) / 3600


def hours_of_fold(encoder: Mapping[str, Any], clips: int, folds: int) -> float:
    """One core, all seeds of a fold, every epoch of the recipe: two folds' clips do not teach, one of them stops the training."""
    views, part = encoder.get("views", {"segments": 1, "crops": 1}), clips / max(folds, 1)
    epochs = resolve(encoder)["training"]["epochs"]
    hours = hours_of_model(PACES[encoder["kind"]], epochs, views["segments"] * views["crops"], max(folds - 2, 1) * part, part, clips)
    return len(encoder["seeds"]) * hours


def hours_of_one_core(encoder: Mapping[str, Any], clips: int, folds: int) -> float:
    """All folds of an encoder."""
    return folds * hours_of_fold(encoder, clips, folds)
