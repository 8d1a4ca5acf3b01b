"""Every way in which a sheet has been wrong: one sentence with file, line, column and remedy, or it works."""

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.data.corrupted import CASES, NAME_RULE, WORKS
from unit.data.sheets import COLUMNS, SMALL, data_block

from blemore.data.catalogue import NAME, Catalogue
from blemore.data.preparation import checked_sheet
from blemore.data.sheet import read_checked_sheet, write_checked_sheet
from blemore.job import BadInput
from blemore.prediction.new_clips import clip_ids

HOSTILE = [
    *("..", "../../etc/passwd", "/etc/passwd", "A101/ang", "A101\\ang", "~root", ".hidden", ".mov"),
    *("-rf", "--help", "$(touch owned)", "`touch owned`", "a;touch owned", "a|b", "a&b", "a>owned", "a*b", "a?b", "{shard}", "%03d", "!x", "#x", "=1+1", "@x"),
    *("a b", "it's", "А101", "A１01", "A101\u200b_x", "\u202egnp.A101", "🎬", "café", "a" * 101, "a" * 300),
]


def corrupted(root: Path, old: str, new: str | bytes, **changes) -> Catalogue:
    """The small sheet with one thing replaced: a separator or line end everywhere, anything else where it first stands."""
    sheet, written = SMALL.encode(), new.encode() if isinstance(new, str) else new
    assert old.encode() in sheet
    (root / "train_metadata.csv").write_bytes(sheet.replace(old.encode(), written, -1 if len(old) == 1 else 1))
    return Catalogue(data_block(root, **changes))


def refusal(catalogue: Catalogue) -> str:
    with pytest.raises(BadInput) as refused:
        checked_sheet(catalogue)
    return str(refused.value)


def with_places(sentence: str, path: Path) -> str:
    for line in range(2, 8):
        sentence = sentence.replace(f"{{at{line}}}", f"{path} line {line}")
    return sentence.replace("{path}", str(path))


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_a_corrupted_sheet_gets_a_sentence_or_works(tmp_path, old, new, expected):
    catalogue, path = corrupted(tmp_path, old, new), tmp_path / "train_metadata.csv"
    if expected == WORKS:
        sheet = checked_sheet(catalogue)
        write_checked_sheet(tmp_path / "sheet.csv", sheet)
        assert len(read_checked_sheet(tmp_path / "sheet.csv")) == 6
    elif isinstance(expected, str):
        assert refusal(catalogue) == with_places(expected, path)
    else:
        assert refusal(catalogue).splitlines()[1:] == [f"  - {with_places(line, path)}" for line in expected]


def test_enough_sheets_are_tried_and_none_twice():
    assert len({(old, new) for old, new, _ in CASES}) == len(CASES) >= 100


@pytest.mark.parametrize("column", ["filename", "video_id", "mix", "emotion_1", "emotion_2", "emotion_1_salience", "emotion_2_salience", "fold"])
def test_a_column_that_is_needed_and_gone_is_named(tmp_path, column):
    table = [line.split(",") for line in SMALL.splitlines()]
    kept = [index for index, name in enumerate(COLUMNS) if name != column]
    (tmp_path / "train_metadata.csv").write_text("\n".join(",".join(line[index] for index in kept) for line in table) + "\n")
    said = refusal(Catalogue(data_block(tmp_path)))
    assert said.startswith(f"{tmp_path}/train_metadata.csv has no column {column}; ")
    assert "\n" not in said


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(("old", "column"), [("A101_ang_int1_ver1", "filename"), ("A101,f,0", "video_id")])
def test_no_name_can_leave_the_results_folder_or_reach_a_shell(tmp_path, name, old, column):
    cell = '"' + name + '"' + ("" if column == "filename" else ",f,0")
    expected = f"{tmp_path}/train_metadata.csv line 2: {column} {name!r} cannot name files; it must be {NAME_RULE}."
    assert refusal(corrupted(tmp_path, old, cell)) == expected


@given(st.text(max_size=30) | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]*", fullmatch=True) | st.sampled_from(HOSTILE))
def test_what_may_name_files_stays_in_its_folder_and_is_one_plain_word(text):
    """Ids of new clips are made of any file name there is; ids and actors of sheets must match."""
    ids = list(clip_ids([f"folder/{text}".replace("\0", "")]).values()) + ([text] if NAME.fullmatch(text) else [])
    for name in ids:
        assert NAME.fullmatch(name)
        assert os.path.normpath(f"results/media/audio/{name}/{name}.flac") == f"results/media/audio/{name}/{name}.flac"
        assert shlex.quote(name) == name
        assert not set(name) & set("{}%")
