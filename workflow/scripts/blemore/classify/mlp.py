"""The classifier of the paper and of the organisers: a small network on frozen features, trained on soft labels."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from blemore.classify.data import Examples
from blemore.data.labels import EMOTIONS
from blemore.finetune.learning import Score, Watch, soft_label_loss
from blemore.job import BadInput


class Trained(NamedTuple):
    """A network at its best epoch and how it got there."""

    network: nn.Sequential
    best_epoch: int  # counted from 1
    train_loss: list[float]  # mean KL divergence per epoch
    stop_loss: list[float]  # the same on the clips that stop the training; empty where there are none
    stop_score: list[float]  # their best Score on the official grid


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
    """Trains one network; keeps the epoch that is best on the stopping clips.

    Args:
        recipe: a head of `classify.heads` of kind mlp.
        score: probabilities and true percentages, both (n, 6) -> the best Score over thresholds.
        epochs: fixed number of epochs, without looking at the stopping clips.

    Returns:
        The best epoch's network in evaluation mode; the last epoch's where there are no stopping clips.

    Raises:
        BadInput: if the loss was never finite.
    """
    torch.manual_seed(seed)
    x, y, stop_x, stop_y = (torch.from_numpy(array) for array in examples)
    network = build(x.shape[1], recipe["hidden"], recipe["batch_norm"], recipe["dropout"])
    optimizer = _optimizer(network, recipe)
    watch = Watch(stop_y, recipe["monitor"], score) if len(stop_x) and epochs is None else None
    train_loss = []
    for epoch in range(1, (epochs or recipe["epochs"]) + 1):
        train_loss.append(_train_epoch(network, optimizer, x, y, recipe["batch_size"]))
        if watch is None:
            continue
        with torch.inference_mode():
            watch.see(network.eval()(stop_x), network.state_dict(), epoch)
        if watch.is_over(epoch, recipe["patience"]):
            break
    if watch is None:
        return Trained(network.eval(), epoch, train_loss, [], [])
    if not watch.best_epoch:
        raise BadInput(f"training diverged: no epoch has a finite loss; lower learning_rate of the head (now {recipe['learning_rate']}).")
    network.load_state_dict(watch.best_state)
    return Trained(network.eval(), watch.best_epoch, train_loss, watch.losses, watch.scores)


def _optimizer(network: nn.Module, recipe: Mapping[str, Any]) -> torch.optim.Optimizer:
    kinds: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    return kinds[recipe["optimizer"]](network.parameters(), lr=recipe["learning_rate"], weight_decay=recipe["weight_decay"], fused=True)


def _train_epoch(network: nn.Sequential, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor, batch_size: int) -> float:
    network.train()
    total = 0.0
    for batch in _batches(len(x), batch_size):
        loss = soft_label_loss(network(x[batch]), y[batch])
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
