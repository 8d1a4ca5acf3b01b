"""Heads by kind: train on examples, predict log-probabilities, give their parameters for saving."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from torch import nn

from blemore.classify.data import Examples
from blemore.classify.mlp import predict_logits, train_mlp
from blemore.data.labels import EMOTIONS
from blemore.job import BadInput
from blemore.learning import Score

NEVER_SEEN = -30.0  # log-probability of an emotion that no training clip has


class Member(NamedTuple):
    """One trained head: its seed, parameters by name, history, and log-probabilities of the clips asked for."""

    seed: int
    parameters: dict[str, NDArray]
    history: dict[str, Any]
    log_probability: NDArray[np.float32]
    used_scored_fold: NDArray[np.float32] | None = None  # the same by the epoch that is best on the scored clips


def train_members(
    examples: Examples, x: NDArray[np.float32], recipe: Mapping[str, Any], seeds: Sequence[int], score: Score, epochs: Mapping[int, int] | None = None
) -> list[Member]:
    """Trains one head per seed and predicts the rows of `x`, shape (n, d).

    Args:
        recipe: one of `classify.heads`.
        score: see `train_mlp`.
        epochs: seed -> fixed number of epochs, for a head that is retrained on all clips.
    """
    if recipe["kind"] == "logistic":
        return [_logistic(examples, x, recipe, seeds[0])]  # it has no randomness, so one seed is all seeds
    return [_mlp(examples, x, recipe, seed, score, epochs[seed] if epochs else None) for seed in seeds]


def _mlp(examples: Examples, x: NDArray[np.float32], recipe: Mapping[str, Any], seed: int, score: Score, epochs: int | None) -> Member:
    trained = train_mlp(examples, recipe, seed, score, epochs)
    parameters = {name: tensor.numpy() for name, tensor in trained.network.state_dict().items()}
    history = {"best_epoch": trained.best_epoch, "train_loss": trained.train_loss, "stop_loss": trained.stop_loss, "stop_score": trained.stop_score}
    tuned = None if trained.used_scored_fold is None else mlp_log_probability(trained.used_scored_fold, x)
    return Member(seed, parameters, history, mlp_log_probability(trained.network, x), tuned)


def _logistic(examples: Examples, x: NDArray[np.float32], recipe: Mapping[str, Any], seed: int) -> Member:
    """Multinomial logistic regression; a blend counts as two clips whose weights are its percentages."""
    row, label = np.nonzero(examples.train_y)
    if len(np.unique(label)) < 2:
        raise BadInput("all clips that train show one emotion alone, which a logistic head cannot learn; more actors, clips or folds are needed.")
    model = LogisticRegression(C=recipe["inverse_regularization"], max_iter=recipe["max_iterations"])
    model.fit(examples.train_x[row].astype(np.float64), label, sample_weight=examples.train_y[row, label])
    # All that decides a prediction, in the precision it is made with.
    parameters = {"coefficient": model.coef_, "intercept": model.intercept_, "classes": model.classes_}
    history = {"best_epoch": int(model.n_iter_.max()), "train_loss": [], "stop_loss": [], "stop_score": []}
    return Member(seed, parameters, history, logistic_log_probability(model, x))


def mlp_log_probability(network: nn.Sequential, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of a network in evaluation mode, standardised features (n, d) -> (n, 6)."""
    return log_softmax(predict_logits(network, x), axis=1)


def logistic_log_probability(model: LogisticRegression, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardised features (n, d) -> (n, 6); emotions that no training clip had get `NEVER_SEEN`."""
    log_probability = np.full((len(x), len(EMOTIONS)), NEVER_SEEN, np.float32)
    log_probability[:, model.classes_] = model.predict_log_proba(x.astype(np.float64))
    return log_softmax(log_probability, axis=1)
