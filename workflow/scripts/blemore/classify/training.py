"""From a sheet and a feature store to the stores of one head and fold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler

from blemore.classify.data import Dataset, examples, scaled
from blemore.classify.heads import Member, train_members
from blemore.classify.saved import save_head
from blemore.data.labels import EMOTIONS
from blemore.finetune.learning import Score, mean_log_probability, save_history
from blemore.stores import Probabilities, write_probabilities


def train_and_predict(
    data: Dataset, cfg: Mapping[str, Any], recipe: Mapping[str, Any], score: Score, epochs: Mapping[int, int] | None = None
) -> tuple[Probabilities, list[Member], StandardScaler]:
    """Trains a head on the clips that teach and predicts every clip that has features.

    Args:
        cfg: `early_stopping` and `seeds` of the block `classify`.
        recipe, score, epochs: see `train_members`.

    Returns:
        Predictions of all clips (NaN without features), the trained members, and the scaler of their input.
    """
    train, scaler = examples(data, cfg["early_stopping"])
    members = train_members(train, scaled(scaler, data.x[data.usable]), recipe, cfg["seeds"], score, epochs)
    logit = np.full((len(data.clip), len(EMOTIONS)), np.nan, np.float32)
    logit[data.usable] = mean_log_probability([member.log_probability for member in members])
    return Probabilities(np.exp(logit), data.clip, [str(part) for part in data.part], logit), members, scaler


def write_results(output: Any, rows: Probabilities, members: Sequence[Member], scaler: StandardScaler, attributes: Mapping[str, Any]) -> None:
    """Everything that one head and fold leave behind; the probabilities and their manifest come last.

    Args:
        output: the paths `head`, `history` and `store`.
        attributes: what determines the numbers, from `stores.provenance`.
    """
    save_head(output.head, members, scaler)
    save_history(output.history, {member.seed: member.history for member in members})
    write_probabilities(output.store, rows, EMOTIONS, attributes)
