"""Everything that can be wrong with the sheets, said at once, before any job: Snakemake may be installed alone, so no pandas here."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from blemore.data.catalogue import Catalogue, Clip
from blemore.data.emotions import EMOTIONS, LABEL_COLUMNS, label_problem
from blemore.job import BadInput
from blemore.problems import expectation, load_schema, refuse, validator

NUMBERS = ("mix", "emotion_1_salience", "emotion_2_salience", "fold")
NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
ANY_EMOTION = "|".join(EMOTIONS)
BLEMORE_SINGLE = re.compile(rf"(?P<video_id>A\d+)_(?P<emotion_1>{ANY_EMOTION})_(int|sit)\d+_ver\d+")
BLEMORE_BLEND = re.compile(
    rf"(?P<video_id>A\d+)_mix_(?P<emotion_1>{ANY_EMOTION})_(?P<emotion_2>{ANY_EMOTION})_(?P<emotion_1_salience>\d+)_(?P<emotion_2_salience>\d+)_ver\d+"
)


def validate(catalogue: Catalogue) -> None:
    """Checks every row by the schema and by the rules of the challenge, then the folds.

    Raises:
        BadInput: with all problems at once, each with file, line, column, value and remedy.
    """
    data = catalogue.data
    if not any(clip.split == "train" for clip in catalogue.clips):
        raise BadInput(f"no clip of {data['train_sheet']} takes part, so there is nothing to train on; add clips, or widen data.only_actors.")
    problem = _check_of_cells()
    problems = [f"{clip.where}: {wrong}" for clip in catalogue.clips for wrong in _cell_problems(clip, problem, data) or _joint_problems(clip, data)]
    refuse([*problems, *_fold_problems(catalogue)], "the sheets")


def _check_of_cells() -> Callable[[str, str], str]:
    """What is wrong with a cell of a column, by the schema; each value is looked at once, however many rows have it."""
    columns = {name: (validator(column), expectation(column)) for name, column in load_schema("sheet")["properties"].items()}

    @cache
    def problem(name: str, cell: str) -> str:
        rule, expected = columns[name]
        return "" if rule.is_valid(_value(name, cell)) else f"{name} is {cell!r}; it must be {expected.replace('null', 'empty')}."

    return problem


def _cell_problems(clip: Clip, problem: Callable[[str, str], str], data: Mapping[str, Any]) -> list[str]:
    has_fold = clip.split == "train" and data["folds"] == "sheet"
    cells = {name: cell for name, cell in clip.row.items() if has_fold or name != "fold"}
    return [wrong for name, cell in cells.items() if (wrong := problem(name, cell))]


def _value(name: str, cell: str) -> str | int | float | None:
    if not cell:
        return None
    if name in NUMBERS and NUMBER.fullmatch(cell):
        return int(number) if (number := float(cell)).is_integer() else number
    return cell


def _joint_problems(clip: Clip, data: Mapping[str, Any]) -> Iterator[str]:
    """What several columns say together."""
    label = [clip.row[name] for name in LABEL_COLUMNS]
    if any(label):
        wrong = label_problem(*label)
        yield from [f"{wrong}; correct the row."] if wrong else _name_disagreements(clip)
    elif clip.split != "test":
        yield "emotion_1 is empty; a clip that trains needs a label, so give it or remove the row."
    if clip.split == "train" and not clip.actor:
        yield "video_id is empty; without the actor nobody can tell whether the folds are actor-disjoint, so name the actor."
    if clip.split == "train" and clip.fold is None and data["folds"] == "sheet":
        yield "fold is empty; give the fold that scores the clip, or set data.folds to made."


def _name_disagreements(clip: Clip) -> Iterator[str]:
    """Names in BLEMORE's pattern say actor, emotions and ratio; other names are free."""
    match = BLEMORE_SINGLE.fullmatch(clip.clip) or BLEMORE_BLEND.fullmatch(clip.clip)
    said = match.groupdict() if match else {}
    if match and "emotion_2" not in said:
        said["emotion_2"] = ""
    for name, value in said.items():
        column = str(_value(name, clip.row[name]) or "")
        # Test clips may come without an actor whatever their names say.
        if value != column and not (name == "video_id" and not column):
            yield f"filename {clip.clip} says {name} {value or 'empty'}, the column says {column or 'empty'}; correct one of them."


def _fold_problems(catalogue: Catalogue) -> Iterator[str]:
    data = catalogue.data
    folds: dict[str, dict[int | None, Clip]] = defaultdict(dict)
    for clip in catalogue.clips:
        if clip.split == "train":
            folds[clip.actor].setdefault(clip.fold, clip)
    for actor, firsts in folds.items():
        if actor and len(seen := [clip for clip in firsts.values() if clip.fold is not None]) > 1:
            places = ", ".join(f"{clip.fold} ({clip.where})" for clip in seen)
            yield f"actor {actor} is in folds {places}; an actor that is scored must not be trained on, so keep one fold."
    for actor, where in {clip.actor: clip.where for clip in catalogue.clips if clip.split == "train_only" and clip.actor in folds}.items():
        yield f"{where}: actor {actor} of a train_only sheet is scored in {data['train_sheet']}; move the clips there, into that actor's fold."
    if catalogue.makes_folds and len(folds) < data["made_folds"]["count"]:
        yield f"data.made_folds.count is {data['made_folds']['count']}, but there are only {len(folds)} actors; make fewer folds."
    if len(catalogue.folds) == 1 and not data["only_actors"]:
        yield f"{data['train_sheet']} has the one fold {catalogue.folds[0]}; at least 2 are needed, so fill the column fold or set data.folds to made."
