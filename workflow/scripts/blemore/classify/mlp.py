"""The classifier of the paper and of the organisers: a small network on frozen features, trained on soft labels."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from blemore.classify.data import Examples
from blemore.data.labels import EMOTIONS
from blemore.learning import Score, Watch, diverged, is_finite, soft_label_loss
from blemore.torch_setup import autocast


class Trained(NamedTuple):
    """A network at its best epoch and how it got there."""

    network: nn.Sequential
    best_epoch: int  # counted from 1
    train_loss: list[float]  # mean KL divergence per epoch
    stop_loss: list[float]  # the same on the clips that stop the training; empty where there are none
    stop_score: list[float]  # their best Score on the official grid
    used_scored_fold: nn.Sequential | None = None  # at the epoch that is best on the scored clips, where they are among the examples


def build(features: int, hidden: Sequence[int], batch_norm: bool, dropout: float) -> nn.Sequential:
    """Linear, BatchNorm, ReLU and dropout for each hidden width, then six logits."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers.append(nn.Linear(features, width))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers += [nn.ReLU(), nn.Dropout(dropout)]
        features = width
    return nn.Sequential(*layers, nn.Linear(features, len(EMOTIONS)))


def train_mlp(examples: Examples, recipe: Mapping[str, Any], seed: int, score: Score, epochs: int | None = None) -> Trained:
    """Trains one network; keeps the epoch that is best on the stopping clips, and apart from it the one that is best on the scored clips.

    Training goes on until neither has become better for as long as patience lasts; what comes after the stopping clips' own end changes nothing of theirs.

    Args:
        recipe: a head of `classify.heads` of kind mlp.
        score: probabilities and true percentages, both (n, 6) -> the best Score over thresholds.
        epochs: fixed number of epochs, without looking at the stopping clips.

    Returns:
        The best epoch's network in evaluation mode; the last epoch's where there are no stopping clips.

    Raises:
        BadInput: if the network of no epoch, or of the last one where there are no stopping clips, gives finite numbers.
    """
    torch.manual_seed(seed)
    x, y, stop_x, stop_y = (torch.from_numpy(array) for array in examples[:4])
    network = build(x.shape[1], recipe["hidden"], recipe["batch_norm"], recipe["dropout"])
    optimizer = _optimizer(network, recipe)
    watch = Watch(stop_y, recipe["monitor"], score) if len(stop_x) and epochs is None else None
    scored_watch, scored_x = _scored_watch(examples, recipe, score) if epochs is None else (None, stop_x)
    running = [(one, clips) for one, clips in ((watch, stop_x), (scored_watch, scored_x)) if one is not None]
    train_loss = []
    for epoch in range(1, (epochs or recipe["epochs"]) + 1):
        train_loss.append(_train_epoch(network, optimizer, x, y, recipe["batch_size"], recipe["precision"]))
        for one, clips in running:
            with torch.inference_mode():
                one.see(_logits(network.eval(), clips, recipe["precision"]), network.state_dict(), epoch)
        running = [(one, clips) for one, clips in running if not one.is_over(epoch, recipe["patience"])]
        if watch is not None and not running:
            break
    used_scored_fold = None if scored_watch is None or not scored_watch.best_epoch else _at_best(copy.deepcopy(network), scored_watch)
    if not (is_finite(train_loss, network.state_dict()) if watch is None else watch.best_epoch):
        raise diverged("head", recipe["learning_rate"])
    if watch is None:
        return Trained(network.eval(), epoch, train_loss, [], [], used_scored_fold)
    return Trained(_at_best(network, watch), watch.best_epoch, train_loss[: len(watch.losses)], watch.losses, watch.scores, used_scored_fold)


def _scored_watch(examples: Examples, recipe: Mapping[str, Any], score: Score) -> tuple[Watch | None, torch.Tensor]:
    if examples.scored_x is None or examples.scored_y is None:
        return None, torch.empty(0)
    return Watch(torch.from_numpy(examples.scored_y), recipe["monitor"], score), torch.from_numpy(examples.scored_x)


def _at_best(network: nn.Sequential, watch: Watch) -> nn.Sequential:
    network.load_state_dict(watch.best_state)
    return network.eval()


def _optimizer(network: nn.Module, recipe: Mapping[str, Any]) -> torch.optim.Optimizer:
    kinds: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[recipe["optimizer"]](network.parameters(), lr=recipe["learning_rate"], weight_decay=recipe["weight_decay"], fused=True)


def _logits(network: nn.Sequential, x: torch.Tensor, precision: str) -> torch.Tensor:
    with autocast("cpu", precision):
        return network(x).float()


def _train_epoch(network: nn.Sequential, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor, batch_size: int, precision: str) -> float:
    network.train()
    total = 0.0
    for batch in _batches(len(x), batch_size):
        loss = soft_label_loss(_logits(network, x[batch], precision), y[batch])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(x)


def _batches(clips: int, batch_size: int) -> Iterator[torch.Tensor]:
    # Parts of nearly equal size: a last batch of one clip would break BatchNorm.
    yield from torch.randperm(clips).tensor_split(-(-clips // batch_size))


@torch.inference_mode()
def predict_logits(network: nn.Sequential, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Six logits per clip, shape (n, d) -> (n, 6)."""
    return network(torch.from_numpy(x)).numpy()
