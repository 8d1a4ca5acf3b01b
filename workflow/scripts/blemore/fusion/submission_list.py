"""The list of all submissions ever written, into which a user types what the server answered. Standard library only."""

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from blemore.job import BadInput

PROTOCOLS = {"pooled": "decision", "official_test": "official_test"}  # whose test decisions are submitted -> their columns
SCORES = ("ACC_P", "ACC_S", "Score")
TYPED = (*SCORES, "note")
KEY = ("ensemble", "protocol", "zip_sha256")
COLUMNS = (*KEY, "current", "clips", "alpha", "beta", "weights", "settings", *TYPED)
Row = dict[str, str]


class ServerScores(NamedTuple):
    """What the server answered to one zip; None where nothing was typed."""

    ensemble: str
    protocol: str
    current: bool  # whether it is the zip of today
    figures: dict[str, float | None]  # ACC_P, ACC_S, Score


class Submission(NamedTuple):
    """What one zip was decided by."""

    ensemble: str
    protocol: str  # of PROTOCOLS
    zip_sha256: str
    clips: int
    alpha: float
    beta: float
    weights: dict[str, float]  # member -> weight
    settings: dict[str, Any]  # of fusion and classify


def decided_by(protocol: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    """Thresholds and weights of a protocol's test decisions, from `scores.json` of an ensemble."""
    if protocol == "pooled":
        chosen = scores["chosen"]
        return {"alpha": chosen["alpha"], "beta": chosen["beta"], "weights": dict(zip(scores["members"], chosen["weights"], strict=True))}
    best = scores["protocols"]["official_test"]["best_fold"]
    fold = next(row for row in scores["protocols"]["official_validation"]["folds"] if row["fold"] == best)
    return {"alpha": fold["alpha"], "beta": fold["beta"], "weights": dict(zip(scores["members"], fold["weights"], strict=True))}


def read_list(path: str | Path) -> list[Row]:
    """The rows of a list, with all columns that a user added; none where there is no file.

    Raises:
        BadInput: if it is no such list any more. It is never replaced then, since what was typed into it is nowhere else.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return []
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 ({error.reason}); save it as CSV UTF-8.") from None
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    header = list(rows[0]) if rows else next(csv.reader(io.StringIO(text)), [])
    absent = [name for name in KEY if name not in header]
    if text.strip() and absent:
        raise BadInput(f"{path} has no column {absent[0]}; save it separated by commas, with its first line as it was.")
    if any(None in row or None in row.values() for row in rows):
        raise BadInput(f"{path} has a row with more or fewer cells than its first line; quote cells that hold a comma.")
    return rows


def typed_scores(path: str | Path) -> list[ServerScores]:
    """The rows of a list into which a score was typed.

    Raises:
        BadInput: if it is no number from 0 to 1.
    """
    rows = [row for row in read_list(path) if any(row.get(name, "").strip() for name in SCORES)]
    return [ServerScores(row["ensemble"], row["protocol"], row.get("current") == "yes", {name: _score(path, row, name) for name in SCORES}) for row in rows]


def _score(path: str | Path, row: Row, name: str) -> float | None:
    text = row.get(name, "").strip()
    try:
        value = float(text) if text else None
    except ValueError:
        value = -1.0
    if value is not None and not 0 <= value <= 1:
        raise BadInput(f"{path}: {name} of {row['ensemble']}, {row['protocol']}, is {text!r}; type a number from 0 to 1, with a point, or nothing.")
    return value


def brought_up_to_date(rows: Sequence[Row], submissions: Iterable[Submission]) -> list[Row]:
    """The zips of today first, each with what was typed for this very zip; then those that were replaced since, as they were."""
    typed = {tuple(row[name] for name in KEY): row for row in rows}
    today = [_row(submission) for submission in submissions]
    kept = [{**typed.get(tuple(row[name] for name in KEY), {}), **row} for row in today]
    there = {tuple(row[name] for name in KEY) for row in today}
    return kept + [{**row, "current": "no"} for key, row in typed.items() if key not in there]


def _row(submission: Submission) -> Row:
    fields = submission._asdict() | {"current": "yes"}
    return {name: json.dumps(value, sort_keys=True) if isinstance(value, dict) else str(value) for name, value in fields.items()}


def write_list(path: str | Path, rows: Sequence[Row]) -> None:
    """Writes the list; it is whole or as it was before."""
    further = sorted({name for row in rows for name in row} - set(COLUMNS))
    partial = Path(path).with_name(f".{Path(path).name}.partial")
    with open(partial, "w", newline="") as file:
        writer = csv.DictWriter(file, [*COLUMNS, *further], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)
