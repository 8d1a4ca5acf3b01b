"""The zip that the challenge takes: predictions of the test clips as one JSON."""

import json
import os
import zipfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blemore.data.labels import EMOTIONS
from blemore.job import BadInput

MEMBER = "submission_template.json"
SALIENCES = ([100], [50, 50], [30, 70])
SHOWN = 10  # problems named in one message


def write_submission(path: str | Path, videos: Sequence[str], decisions: NDArray[np.int8]) -> None:
    """Writes the predictions; equal decisions give equal bytes.

    Args:
        videos: file names with extension, the keys.
        decisions: percent (n, 6) of the videos, in their order.
    """
    predictions = {video: _entries(row) for video, row in zip(videos, decisions, strict=True)}
    content = json.dumps({"predictions": predictions}, indent=1, sort_keys=True) + "\n"
    partial = Path(path).with_name(f".{Path(path).name}.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        # Without a ZipInfo of its own the member would carry the time of writing.
        member = zipfile.ZipInfo(MEMBER, date_time=(1980, 1, 1, 0, 0, 0))
        member.external_attr = 0o644 << 16
        archive.writestr(member, content, zipfile.ZIP_DEFLATED)
    os.replace(partial, path)


def _entries(row: NDArray[np.int8]) -> list[dict[str, Any]]:
    order = np.argsort(-row, kind="stable")
    return [{"emotion": EMOTIONS[emotion], "salience": float(row[emotion])} for emotion in order if row[emotion] > 0]


def validate_submission(path: str | Path, expected_keys: Collection[str]) -> None:
    """Checks a submission as the challenge would.

    Args:
        expected_keys: file names of the test clips, with extension.

    Raises:
        BadInput: with all that is wrong, up to ten problems.
    """
    problems = problems_of(read_predictions(path), expected_keys)
    if problems:
        more = f" and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise BadInput(f"{path} is no valid submission ({'; '.join(problems[:SHOWN])}{more}); delete results/fusion and run again.")


def problems_of(predictions: Mapping[str, Any], expected_keys: Collection[str]) -> list[str]:
    """One sentence for each thing that is wrong with the predictions."""
    problems = [f"{key} is missing" for key in sorted(set(expected_keys) - set(predictions))]
    problems += [f"{key} is no test clip" for key in sorted(set(predictions) - set(expected_keys))]
    return problems + [f"{key}: {problem}" for key, entries in predictions.items() if (problem := _entry_problem(entries))]


def read_predictions(path: str | Path) -> dict[str, Any]:
    """The entries of each clip, unchecked.

    Raises:
        BadInput: if the zip, its member or the JSON in it has another form.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(MEMBER), object_pairs_hook=_without_repeats)
    except KeyError:
        raise BadInput(f"{path} has no member {MEMBER}; put the predictions there.") from None
    except Exception as error:  # a damaged file may raise anything
        raise BadInput(f"{path} is no zip with a JSON {MEMBER} in it ({error}); write it again.") from None
    if not isinstance(content, dict) or list(content) != ["predictions"] or not isinstance(content["predictions"], dict):
        raise BadInput(f'{path}: {MEMBER} must hold {{"predictions": {{file name: entries}}}} and nothing else.')
    return content["predictions"]


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise ValueError(f"{repeated[0]!r} occurs more than once")
    return dict(pairs)


def _entry_problem(entries: Any) -> str:
    """What is wrong with the entries of one clip; empty if nothing is."""
    if not isinstance(entries, list) or len(entries) not in (1, 2) or any(not isinstance(entry, dict) for entry in entries):
        return "must be a list of one or two entries"
    if any(set(entry) != {"emotion", "salience"} for entry in entries):
        return "entries have exactly an emotion and a salience"
    emotions = [entry["emotion"] for entry in entries]
    saliences = [entry["salience"] for entry in entries]
    unknown = [emotion for emotion in emotions if emotion not in EMOTIONS]
    if unknown:
        return f"{unknown[0]!r} is none of {', '.join(EMOTIONS)}"
    if len(set(emotions)) < len(emotions):
        return f"{emotions[0]} occurs twice"
    if len(emotions) == 2 and "neu" in emotions:
        return "neu cannot be part of a blend"
    if any(isinstance(salience, bool) or not isinstance(salience, int | float) for salience in saliences) or sorted(saliences) not in SALIENCES:
        return f"saliences {saliences} are none of 100, 50/50 and 70/30"
    return ""
