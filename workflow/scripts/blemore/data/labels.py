"""The six emotions, and the labels of a sheet as numbers."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blemore.job import BadInput

EMOTIONS = ("ang", "disg", "fea", "hap", "sad", "neu")
RATIOS = ((50, 50), (70, 30), (30, 70))  # percent of emotion_1 and emotion_2
LABEL_COLUMNS = ("mix", "emotion_1", "emotion_2", "emotion_1_salience", "emotion_2_salience")


def has_labels(sheet: pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> NDArray[np.bool_]:
    """Which rows name a first emotion, shape (n,)."""
    return np.array([not _missing(row[1]) for _, row in _rows(sheet)], bool)


def percentages(sheet: pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> NDArray[np.int8]:
    """Labels in percent, shape (n, 6) in the order of EMOTIONS; rows sum to 100.

    Args:
        sheet: columns `emotion_1`, `emotion_2` and their saliences, as a table, as columns or as rows; `mix` is compared where it is given.

    Raises:
        BadInput: if a row has no label or one that the challenge does not know, naming the row.
    """
    rows = list(_rows(sheet))
    percent = np.zeros((len(rows), len(EMOTIONS)), np.int8)
    for index, (name, row) in enumerate(rows):
        wrong = "it has no emotion_1, and only labelled clips have soft labels" if _missing(row[1]) else label_problem(*row)
        if wrong:
            raise BadInput(f"row {index}{name}: {wrong}; correct it or leave the row out.")
        _, first, second, first_salience, second_salience = row
        if _missing(second):
            percent[index, EMOTIONS.index(first)] = 100
        else:
            percent[index, EMOTIONS.index(first)] = int(float(first_salience))
            percent[index, EMOTIONS.index(second)] = int(float(second_salience))
    return percent


def soft_labels(sheet: pd.DataFrame | Mapping[str, Any] | Iterable[Mapping[str, Any]]) -> NDArray[np.float32]:
    """Labels as distributions, shape (n, 6): 0.7/0.3, 0.5/0.5 or one-hot; takes and refuses what `percentages` does."""
    return (percentages(sheet) / 100).astype(np.float32)


def label_problem(mix: Any, first: Any, second: Any, first_salience: Any, second_salience: Any) -> str:
    """What is wrong with the label of one clip, "" if nothing: the rules of the challenge in one place."""
    blend = not _missing(second)
    unknown = [emotion for emotion in (first, second)[: 1 + blend] if emotion not in EMOTIONS]
    if unknown:
        return f"{unknown[0]!r} is not one of {', '.join(EMOTIONS)}"
    if not _missing(mix) and _number(mix) != blend:
        return f"mix is {mix} but emotion_2 is {f'{second!r}' if blend else 'empty'}"
    if not blend:
        given = [salience for salience in (first_salience, second_salience) if not _missing(salience)]
        return f"a single emotion has no salience, but {given[0]} is given" if given else ""
    if "neu" in (first, second):
        return "neutral never occurs in a blend"
    if first == second:
        return f"both emotions of the blend are {first!r}"
    if (_number(first_salience), _number(second_salience)) not in RATIOS:
        return f"saliences are {_shown(first_salience)}/{_shown(second_salience)}, and only 50/50, 70/30 and 30/70 exist"
    return ""


def _rows(sheet: Any) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The clip's name in parentheses, and the label columns; an absent column is missing everywhere."""
    table = sheet if isinstance(sheet, pd.DataFrame) else pd.DataFrame(sheet)
    names = [f" ({name})" for name in table["filename"]] if "filename" in table else [""] * len(table)
    return zip(names, table.reindex(columns=list(LABEL_COLUMNS)).astype(object).itertuples(index=False, name=None))


def _missing(value: Any) -> bool:
    return bool(pd.isna(value)) or value == ""


def _number(value: Any) -> float | None:
    try:
        return None if _missing(value) else float(value)
    except ValueError:
        return None


def _shown(salience: Any) -> str:
    number = _number(salience)
    return "empty" if _missing(salience) else str(salience) if number is None else f"{number:g}"
