"""What the page embeds: clips, probabilities, decisions and tables, as JSON; long arrays as base64."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blemore.data.labels import EMOTIONS
from blemore.fusion.comparison import percent
from blemore.fusion.decode import TYPES
from blemore.fusion.predictions import scored_predictions
from blemore.report.calibration import calibration
from blemore.report.published import PUBLISHED

NOT_SCORED = 255  # among the numbers of decisions: a protocol says nothing of the clip
KEPT = ("members", "protocols", "intervals", "chosen", "fine_tuned_share")
SENSITIVITY = ("folds", "alpha", "beta", "statistics", "nulls", "conclusion")


def page_content(
    results: Sequence[Mapping[str, Any]],
    decisions: Sequence[pd.DataFrame],
    members: Mapping[str, Mapping[str, Any]],
    tables: Mapping[str, Mapping[str, Any]],
    shown: str,
) -> dict[str, Any]:
    """The embedded data of the page.

    Args:
        results: content of scores.json of each ensemble, in the order in which they are offered.
        decisions: decisions.csv of each.
        members: from `member_content`.
        tables: ensemble -> caption -> table, see `cells`.
        shown: the ensemble that is shown first.

    Raises:
        ValueError: if the ensembles do not score the same clips in the same order.
    """
    first = decisions[0]
    for result, table in zip(results, decisions, strict=True):
        if table["clip"].tolist() != first["clip"].tolist():
            raise ValueError(f"the decisions of {result['ensemble']} are about other clips than those of {results[0]['ensemble']}")
    truth = percent(first, "truth")
    return {
        "clips": {"id": first["clip"].astype(str).tolist(), "actor": first["actor"].fillna("").astype(str).tolist(), "fold": first["fold"].tolist()},
        "folds": sorted(first["fold"].unique().tolist()),
        "truth": packed(type_numbers(truth)),
        "ensembles": {result["ensemble"]: _ensemble(result, table, truth, tables[result["ensemble"]]) for result, table in zip(results, decisions)},
        "members": dict(members),
        "scores": [_score(result) for result in results],
        "shown": shown,
    }


def _ensemble(result: Mapping[str, Any], decisions: pd.DataFrame, truth: NDArray[np.int8], tables: Mapping[str, Any]) -> dict[str, Any]:
    fused = decisions[[f"probability_{emotion}" for emotion in EMOTIONS]].to_numpy(np.float64)
    return {
        **{name: result[name] for name in KEPT},
        "sensitivity": {name: result["sensitivity"][name] for name in SENSITIVITY},
        "fused": packed(fused),
        "decisions": {protocol: packed(type_numbers(percent(decisions, protocol))) for protocol in result["protocols"]},
        "calibration": calibration(fused, truth),
        "tables": dict(tables),
    }


def _score(result: Mapping[str, Any]) -> dict[str, Any]:
    protocols, name = result["protocols"], result["ensemble"]
    return {
        "name": name,
        "nested": protocols["nested"]["pooled"]["Score"],
        "interval": result["intervals"]["nested"]["Score"],
        "tuned": protocols["paper"]["mean"]["Score"],
        "published": PUBLISHED[name].score if name in PUBLISHED else None,
    }


def member_content(stores: Mapping[int, str], histories: Mapping[int, Path], clips: pd.DataFrame) -> dict[str, Any]:
    """Out-of-fold probabilities of one encoder and head, their calibration, and the learning curves and spread over seeds that are there.

    Args:
        stores: fold -> probability store.
        histories: fold -> the history beside the head, which a run that got its probabilities from elsewhere lacks.
        clips: decisions.csv of any ensemble.
    """
    probabilities = scored_predictions(stores, clips.rename(columns={"clip": "filename"}))
    found = {fold: json.loads(path.read_text()) for fold, path in histories.items() if path.is_file()}
    return {
        "probability": packed(probabilities.astype(np.float32)),
        "calibration": calibration(probabilities, percent(clips, "truth")),
        "curves": [curve for fold, history in found.items() for curve in curves(fold, history)],
        "seed_spread": seed_spread(found),
    }


def seed_spread(histories: Mapping[int, Mapping[str, Any]]) -> dict[int, float]:
    """Fold -> standard deviation over seeds of the best Score on the clips that stop the training; nothing of a fold with one seed."""
    spread = {fold: history.get("stop_score_spread") for fold, history in histories.items()}
    return {fold: value for fold, value in spread.items() if value is not None}


def curves(fold: int, history: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every list of numbers in a history, which has one entry per seed, or is itself one; five digits are enough to draw it.

    Where training diverged a loss is None, which leaves a gap.
    """
    for seed, entry in history.get("seeds", {None: history}).items():
        for name, values in sorted(entry.items()):
            if isinstance(values, list) and values and all(isinstance(value, int | float) for value in values):
                yield {"fold": fold, "seed": seed, "name": name, "values": [float(f"{value:.5g}") if isfinite(value) else None for value in values]}


def type_numbers(percents: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Which of the 36 label types each row (n, 6) is; NOT_SCORED for a row of zeros.

    Raises:
        KeyError: for a row that is neither.
    """
    numbers = {row.tobytes(): number for number, row in enumerate(TYPES)} | {bytes(len(EMOTIONS)): NOT_SCORED}
    return np.array([numbers[row.tobytes()] for row in np.ascontiguousarray(percents)], np.uint8)


def packed(values: NDArray) -> dict[str, str]:
    """An array as the base64 of its little-endian bytes."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return {"type": little.dtype.str[1:], "base64": text(little.tobytes())}


def text(content: bytes) -> str:
    """Bytes as base64."""
    return base64.b64encode(content).decode()


def cells(table: pd.DataFrame) -> dict[str, Any]:
    """A table as strings, numbers with three decimals."""
    rows = [[f"{value:.3f}" if isinstance(value, float) else str(value) for value in row] for row in table.itertuples(index=False)]
    return {"columns": [str(column) for column in table.columns], "rows": rows}


def folds_of(paths: Iterable[str]) -> dict[str, dict[int, str]]:
    """`encoder/head` -> fold -> path, of files called `…/{encoder}/{head}/fold{fold}.…`."""
    found: dict[str, dict[int, str]] = {}
    for path in map(Path, paths):
        found.setdefault("/".join(path.parts[-3:-1]), {})[int(path.stem.removeprefix("fold"))] = str(path)
    return found
