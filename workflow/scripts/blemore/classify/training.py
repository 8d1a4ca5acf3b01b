"""From a sheet and a feature store to the stores of one head and fold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from blemore.classify.data import Dataset, examples, scaled
from blemore.classify.heads import Member, train_members
from blemore.classify.saved import save_head
from blemore.data.labels import EMOTIONS
from blemore.data.splits import SCORED
from blemore.learning import Score, mean_log_probability, save_history
from blemore.stores import Probabilities, write_probabilities


def train_and_predict(
    data: Dataset,
    cfg: Mapping[str, Any],
    recipe: Mapping[str, Any],
    score: Score,
    epochs: Mapping[int, int] | None = None,
    with_scored: bool = False,
) -> tuple[Probabilities, list[Member], StandardScaler]:
    """Trains a head on the clips that teach and predicts every clip that has features.

    Args:
        cfg: `early_stopping` and `seeds` of the block `classify`.
        recipe, score, epochs: see `train_members`.
        with_scored: whether an epoch is chosen on the scored clips as well, for `used_scored_fold`.

    Returns:
        Predictions of all clips (NaN without features), the trained members, and the scaler of their input.
    """
    train, scaler = examples(data, cfg["early_stopping"], with_scored)
    members = train_members(train, scaled(scaler, data.x[data.usable]), recipe, cfg["seeds"], score, epochs)
    logit = np.full((len(data.clip), len(EMOTIONS)), np.nan, np.float32)
    logit[data.usable] = mean_log_probability([member.log_probability for member in members])
    return Probabilities(np.exp(logit), data.clip, [str(part) for part in data.part], logit), members, scaler


def used_scored_fold(data: Dataset, members: Sequence[Member]) -> NDArray[np.float32] | None:
    """Probabilities of the scored clips by the epoch that is best on them, (n, 6), NaN at all other clips; None where no such epoch was sought."""
    predicted = [member.used_scored_fold for member in members if member.used_scored_fold is not None]
    if len(predicted) < len(members):
        return None
    probability = np.full((len(data.clip), len(EMOTIONS)), np.nan, np.float32)
    probability[data.usable] = np.exp(mean_log_probability(predicted))
    probability[data.part != SCORED] = np.nan
    return probability


def write_results(
    output: Any,
    rows: Probabilities,
    members: Sequence[Member],
    scaler: StandardScaler,
    attributes: Mapping[str, Any],
    tuned: NDArray[np.float32] | None = None,
) -> None:
    """Everything that one head and fold leave behind; the probabilities and their manifest come last.

    Args:
        output: the paths `head`, `history` and `store`.
        attributes: what determines the numbers, from `stores.provenance`.
        tuned: from `used_scored_fold`.
    """
    save_head(output.head, members, scaler)
    save_history(output.history, {member.seed: member.history for member in members})
    write_probabilities(output.store, rows, EMOTIONS, attributes, used_scored_fold=tuned)
