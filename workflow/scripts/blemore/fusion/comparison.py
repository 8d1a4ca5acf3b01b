"""Any two ensembles beside each other, under the same protocol and on the same resamples of actors."""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blemore.data.labels import EMOTIONS
from blemore.fusion.resampling import compare, draw_actors
from blemore.job import BadInput


def compare_ensembles(decisions: Mapping[str, pd.DataFrame], protocols: Mapping[str, bool], resamples: int, seed: int) -> pd.DataFrame:
    """The Score of each ensemble less that of each later one, under every protocol.

    Args:
        decisions: ensemble -> the table that `fuse` writes, all of the same clips.
        protocols: name -> whether it used the scored fold.
        resamples, seed: of the actors; the same draws as those of the intervals.

    Returns:
        Columns `protocol`, `uses_scored_fold`, `first`, `second`, and those of `resampling.Comparison`.

    Raises:
        BadInput: if the tables are of different clips.
    """
    tables = list(decisions.values())
    clips, truth, actor = tables[0]["clip"], percent(tables[0], "truth"), tables[0]["actor"].to_numpy(str)
    for name, table in decisions.items():
        if not table["clip"].equals(clips):
            raise BadInput(f"the decisions of {name} are of other clips than those of {next(iter(decisions))}; delete results/fusion and run again.")
    draws = draw_actors(len(np.unique(actor)), resamples, seed)
    rows = []
    for protocol, uses_scored_fold in protocols.items():
        decided = {name: percent(table, protocol) for name, table in decisions.items()}
        for first, second in combinations(decided, 2):
            found = compare(decided[first], decided[second], truth, actor, draws)
            rows.append({"protocol": protocol, "uses_scored_fold": uses_scored_fold, "first": first, "second": second, **found._asdict()})
    columns = ["protocol", "uses_scored_fold", "first", "second", "difference", "low", "high", "probability_above_zero", "n_clips"]
    return pd.DataFrame(rows, columns=columns)


def percent(table: pd.DataFrame, name: str) -> NDArray[np.int8]:
    """Six columns, `name_ang` to `name_neu`, as (n, 6)."""
    return table[[f"{name}_{emotion}" for emotion in EMOTIONS]].to_numpy(np.int8)
