"""What training a head and fine-tuning an encoder share: the loss, who stops it, what is written of its course."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import logsumexp
from torch.nn import functional

from blemore.job import BadInput
from blemore.stores import write_json

Score = Callable[[NDArray[np.float32], NDArray[np.int8]], float]
State = dict[str, torch.Tensor]


def soft_label_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean over clips of KL(target || softmax(logits)), arXiv:2603.23650 section III-A."""
    return functional.kl_div(functional.log_softmax(logits, dim=1), target, reduction="batchmean")


class Watch:
    """Keeps what was trained of the epoch that is best on held-out clips.

    Args:
        y: their labels, (n, 6).
        monitor: what must improve, `loss` or `score`.
        score: probabilities and true percentages, both (n, 6) -> the best Score over thresholds.
    """

    def __init__(self, y: torch.Tensor, monitor: str, score: Score) -> None:
        self.y, self.monitor, self.score = y, monitor, score
        self.truth = np.round(y.numpy() * 100).astype(np.int8)
        self.losses: list[float] = []
        self.scores: list[float] = []
        self.best_epoch, self.best_value = 0, -np.inf
        self.best_state: State = {}

    def see(self, logits: torch.Tensor, state: State, epoch: int) -> None:
        """Judges an epoch by the logits (n, 6) of the held-out clips; the first of equal epochs stays the best."""
        finite = bool(logits.isfinite().all())
        self.losses.append(float(soft_label_loss(logits, self.y)))
        self.scores.append(self.score(logits.softmax(1).numpy(), self.truth) if finite else 0.0)
        value = self.scores[-1] if self.monitor == "score" else -self.losses[-1]
        if finite and value > self.best_value:
            self.best_epoch, self.best_value = epoch, value
            self.best_state = {name: tensor.clone() for name, tensor in state.items()}

    def is_over(self, epoch: int, patience: int | None) -> bool:
        """Whether nothing has become better for as many epochs as patience lasts."""
        return patience is not None and epoch - self.best_epoch >= patience


def diverged(what: str, learning_rate: float) -> BadInput:
    """What is said of a training whose network gives NaN or infinity."""
    return BadInput(f"training diverged: the network gives no finite numbers; lower learning_rate of the {what} (now {learning_rate}).")


def is_finite(train_loss: Sequence[float], state: Mapping[str, torch.Tensor]) -> bool:
    """Whether the loss of the last epoch is, and all that was trained. In float16 a network that overflows keeps finite parameters."""
    return bool(np.isfinite(train_loss[-1])) and all(bool(tensor.isfinite().all()) for tensor in state.values())


def mean_log_probability(log_probability: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Log of the mean probability over members or views: what is averaged is the softmax."""
    stacked = np.stack([one.astype(np.float64) for one in log_probability])
    return (logsumexp(stacked, axis=0) - np.log(len(stacked))).astype(np.float32)


def save_history(path: str | Path, histories: Mapping[int, Mapping[str, Any]]) -> None:
    """Loss and score per epoch of every seed, the epoch that was kept, and the spread of the best stopping score over seeds."""
    best = [history["stop_score"][history["best_epoch"] - 1] for history in histories.values() if history["stop_score"]]
    spread = float(np.std(best, ddof=1)) if len(best) > 1 else None
    write_json(path, {"seeds": {str(seed): history for seed, history in histories.items()}, "stop_score_spread": spread})


def epochs_of(histories: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Median over folds of the epoch that was kept, by seed: how long training goes on that nothing can stop."""
    seeds = histories[0]["seeds"]
    return {int(seed): max(1, int(np.median([history["seeds"][seed]["best_epoch"] for history in histories]))) for seed in seeds}
