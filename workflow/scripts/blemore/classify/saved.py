"""Trained heads as files: written where they are trained, and predicting from them anywhere."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from blemore.classify.data import scaled
from blemore.classify.heads import Member, logistic_log_probability, mlp_log_probability
from blemore.classify.mlp import build
from blemore.classify.tensors import read_tensors, write_tensors
from blemore.job import BadInput
from blemore.learning import mean_log_probability


def save_head(path: str | Path, members: Sequence[Member], scaler: StandardScaler) -> None:
    """Scaler and parameters of every seed: enough to predict elsewhere."""
    tensors: dict[str, NDArray] = {"scaler.mean": scaler.mean_, "scaler.scale": scaler.scale_}
    for member in members:
        tensors |= {f"seed{member.seed}.{name}": np.ascontiguousarray(values) for name, values in member.parameters.items()}
    write_tensors(path, tensors)


def predict_head(path: str | Path, recipe: Mapping[str, Any], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log-probabilities by a saved head, the mean over its seeds as in training; features (n, d) -> (n, 6).

    Args:
        recipe: the one of `classify.heads` that it was trained by.

    Raises:
        BadInput: if it is damaged, takes features of another length, or does not hold what the recipe needs.
    """
    tensors = read_tensors(path)
    width = len(tensors["scaler.mean"])
    if x.shape[1] != width:
        raise BadInput(f"{path} takes {width:,} numbers per clip, but the features have {x.shape[1]:,}; extract them by the settings that it was trained with.")
    standardised = scaled(_scaler(tensors), x)
    seeds = sorted({name.partition(".")[0] for name in tensors} - {"scaler"}, key=lambda seed: int(seed.removeprefix("seed")))
    predict = _logistic if recipe["kind"] == "logistic" else _mlp
    try:
        return mean_log_probability([predict(_of(tensors, seed), recipe, standardised) for seed in seeds])
    except (KeyError, RuntimeError) as error:
        raise BadInput(f"{path} does not hold a head of this recipe ({' '.join(str(error).split())}); train it again.") from None


def _of(tensors: Mapping[str, NDArray], seed: str) -> dict[str, NDArray]:
    return {name.removeprefix(f"{seed}."): values for name, values in tensors.items() if name.startswith(f"{seed}.")}


def _scaler(tensors: Mapping[str, NDArray]) -> StandardScaler:
    scaler = StandardScaler()
    scaler.mean_, scaler.scale_ = tensors["scaler.mean"], tensors["scaler.scale"]
    scaler.n_features_in_ = len(scaler.mean_)
    return scaler


def _mlp(parameters: Mapping[str, NDArray], recipe: Mapping[str, Any], x: NDArray[np.float32]) -> NDArray[np.float32]:
    network = build(x.shape[1], recipe["hidden"], recipe["batch_norm"], recipe["dropout"])
    network.load_state_dict({name: torch.from_numpy(values) for name, values in parameters.items()})
    return mlp_log_probability(network.eval(), x)


def _logistic(parameters: Mapping[str, NDArray], recipe: Mapping[str, Any], x: NDArray[np.float32]) -> NDArray[np.float32]:
    model = LogisticRegression()
    model.coef_, model.intercept_, model.classes_ = (parameters[name] for name in ("coefficient", "intercept", "classes"))
    return logistic_log_probability(model, x)
