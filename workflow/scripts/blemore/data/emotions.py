"""The six emotions and the rules of labels. Standard library only, because sheets are validated before any job."""

from itertools import combinations
from typing import Any

EMOTIONS = ("ang", "disg", "fea", "hap", "sad", "neu")
PAIRS = tuple(combinations(range(len(EMOTIONS) - 1), 2))  # places of the two emotions of a blend; neutral is in none
RATIOS = ((50, 50), (70, 30), (30, 70))  # percent of emotion_1 and emotion_2
LABEL_COLUMNS = ("mix", "emotion_1", "emotion_2", "emotion_1_salience", "emotion_2_salience")
EMPTY = {"", "nan", "None", "<NA>"}


def label_problem(mix: Any, first: Any, second: Any, first_salience: Any, second_salience: Any) -> str:
    """What is wrong with the label of one clip, "" if nothing: the rules of the challenge in one place."""
    blend = not is_missing(second)
    unknown = [emotion for emotion in (first, second)[: 1 + blend] if emotion not in EMOTIONS]
    if unknown:
        return f"{unknown[0]!r} is not one of {', '.join(EMOTIONS)}"
    if not is_missing(mix) and number(mix) != blend:
        return f"mix is {mix} but emotion_2 is {f'{second!r}' if blend else 'empty'}"
    if not blend:
        given = [salience for salience in (first_salience, second_salience) if not is_missing(salience)]
        return f"a single emotion has no salience, but {given[0]} is given" if given else ""
    if "neu" in (first, second):
        return "neutral never occurs in a blend"
    if first == second:
        return f"both emotions of the blend are {first!r}"
    if (number(first_salience), number(second_salience)) not in RATIOS:
        return f"saliences are {_shown(first_salience)}/{_shown(second_salience)}, and only 50/50, 70/30 and 30/70 exist"
    return ""


def is_missing(value: Any) -> bool:
    """Whether a cell is empty, as text or as pandas reads it."""
    return str(value) in EMPTY


def number(value: Any) -> float | None:
    """The number in a cell, None where there is none."""
    try:
        return None if is_missing(value) else float(value)
    except ValueError:
        return None


def _shown(salience: Any) -> str:
    value = number(salience)
    return "empty" if is_missing(salience) else str(salience) if value is None else f"{value:g}"
