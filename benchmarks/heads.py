"""Training of the default head against a plain loop: python benchmarks/heads.py

The plain loop is float32 torch as it comes, with fused AdamW, whole tensors in memory and no DataLoader.
One fold, 20 epochs, one thread, features that are made here.
"""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from blemore.classify.data import Examples
from blemore.classify.mlp import train_mlp
from blemore.fusion.thresholds import best_grid_score
from blemore.memory import keep_freed_memory
from blemore.torch_setup import deterministic

REPOSITORY = Path(__file__).resolve().parents[1]
EPOCHS, FOLDS = 20, 5
TRAIN, STOP = 1470, 493  # clips of three folds and of the one that stops the training
# Numbers of a clip: OpenFace 3, wav2vec2 and its like, and the longest; ten encoders as in the rehearsal have about so many of each.
WIDTHS = {77: 1, 7168: 7, 14336: 2}


def examples(width: int) -> Examples:
    """Clips with one of six emotions or a blend of 70/30, planted in noise."""
    generator = np.random.default_rng(width)
    count = TRAIN + STOP
    first, second = generator.integers(0, 6, (2, count))
    y = 0.7 * np.eye(6)[first] + 0.3 * np.eye(6)[second]
    x = y @ generator.normal(size=(6, width)) * 6 / np.sqrt(width) + generator.normal(size=(count, width))
    x, y = ((x - x[:TRAIN].mean(0)) / x[:TRAIN].std(0)).astype(np.float32), y.astype(np.float32)
    return Examples(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:])


def plainly(data: Examples, recipe: Mapping[str, Any]) -> list[float]:
    """Score of the stopping clips after each epoch."""
    torch.manual_seed(1)
    x, y, stop_x = map(torch.from_numpy, data[:3])
    layers: list[nn.Module] = []
    for inputs, outputs in zip([x.shape[1], *recipe["hidden"]], recipe["hidden"]):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(recipe["dropout"])]
    network = nn.Sequential(*layers, nn.Linear(recipe["hidden"][-1], 6))
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe["learning_rate"], weight_decay=recipe["weight_decay"], fused=True)
    divergence = nn.KLDivLoss(reduction="batchmean")
    scores = []
    for _ in range(EPOCHS):
        network.train()
        for batch in torch.randperm(len(x)).split(recipe["batch_size"]):
            optimizer.zero_grad()
            divergence(network(x[batch]).log_softmax(1), y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            scores.append(best_grid_score(network.eval()(stop_x).softmax(1).numpy(), np.round(100 * data.stop_y).astype(np.int8)))
    return scores


def main() -> None:
    """Prints seconds and the best Score of the stopping clips for each width and way, then all ten encoders and five folds."""
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    recipe = config["classify"]["heads"][config["classify"]["default_head"]] | {"epochs": EPOCHS, "patience": None}
    torch.set_num_threads(1)
    plain = measure("plain loop", lambda data: plainly(data, recipe))
    deterministic()
    keep_freed_memory()
    for precision in ("float32", "bfloat16"):
        ours = recipe | {"precision": precision}
        seconds = measure(precision, lambda data, ours=ours: train_mlp(data, ours, 1, best_grid_score).stop_score)
        print(f"10 encoders x {FOLDS} folds: {precision} {seconds:.0f} s, plain loop {plain:.0f} s, {plain / seconds:.2f}x")


def measure(name: str, train: Callable[[Examples], list[float]]) -> float:
    """Prints each width's seconds for one fold; all encoders' and folds' are returned."""
    total = 0.0
    for width, encoders in WIDTHS.items():
        data = examples(width)
        started = time.perf_counter()
        scores = train(data)
        seconds = time.perf_counter() - started
        total += seconds * encoders * FOLDS
        print(f"{width:6d} numbers  {name:10s} {seconds:6.2f} s  best Score {max(scores):.3f}", flush=True)
    return total


if __name__ == "__main__":
    main()
