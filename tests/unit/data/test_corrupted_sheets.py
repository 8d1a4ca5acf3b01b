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


TEST_SHEET = """filename,video_id,mix,emotion_1,emotion_2,emotion_1_salience,emotion_2_salience
test_0001,B1,0,sad,,,
test_0002,B1,1,ang,hap,70,30
"""
TAKEN = "; give each clip its own name."


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        # against the train sheet
        ("test_0002", "A101_ang_int1_ver1", "{test} line 3: filename A101_ang_int1_ver1 is also in {train} line 2; give each clip its own name."),
        (
            "test_0002",
            "A101_Ang_int1_ver1",
            "{test} line 3: filename A101_Ang_int1_ver1 differs only in case from A101_ang_int1_ver1 in {train} line 2; give each clip its own name.",
        ),
        ("test_0001", "A103_mix_fea_sad_70_30_ver1.mp4", "{test} line 2: filename A103_mix_fea_sad_70_30_ver1 is also in {train} line 7" + TAKEN),
        ("B1,0", "a101,0", "{test} line 2: video_id a101 differs only in case from A101 in {train} line 2; write an actor in one way."),
        ("B1,0", "A101,0", WORKS),  # which `check` says
        # by itself
        ("B1,0,sad,,,", ",,,,,", WORKS),
        ("test_0002", "test_0001", "{test} line 3: filename test_0001 is also in {test} line 2; give each clip its own name."),
        ("filename", "file", ["{test} has no column filename; did you mean file?", "{test} has an unknown column 'file'; did you mean filename?"]),
        (TEST_SHEET, "", "{test} is empty; its first line must name the columns " + ", ".join(COLUMNS) + "."),
        (",", ";", "{test} is separated by semicolons; save it with commas."),
        ("sad", b"tr\xe4ge", "{test} is not UTF-8 (byte 97 is 0xe4); save it as CSV UTF-8."),
        (TEST_SHEET, b"PK\x03\x04\x00", "{test} is no text, since it holds a zero byte; save it as CSV UTF-8."),
        ("test_0001", "test_0001,", "{test} line 2 has 8 cells where the header has 7; quote values that hold a comma."),
        ("test_0001", "../test_0001", "{test} line 2: filename '../test_0001' cannot name files; it must be " + NAME_RULE + "."),
        ("70,30", "60,40", "{test} line 3: saliences are 60/40, and only 50/50, 70/30 and 30/70 exist; correct the row."),
        ("sad", "sadness", "{test} line 2: emotion_1 is 'sadness'; it must be one of ang, disg, fea, hap, sad, neu, empty."),
        (
            "test_0002,B1",
            "A101_mix_ang_hap_30_70_ver9,A101",
            [
                "{test} line 3: filename A101_mix_ang_hap_30_70_ver9 says emotion_1_salience 30, the column says 70; correct one of them.",
                "{test} line 3: filename A101_mix_ang_hap_30_70_ver9 says emotion_2_salience 70, the column says 30; correct one of them.",
            ],
        ),
    ],
)
def test_a_corrupted_test_sheet_gets_a_sentence_or_works(tmp_path, old, new, expected):
    (tmp_path / "train_metadata.csv").write_text(SMALL)
    written = new.encode() if isinstance(new, str) else new
    assert old in TEST_SHEET
    (tmp_path / "test_metadata.csv").write_bytes(TEST_SHEET.encode().replace(old.encode(), written, -1 if len(old) == 1 else 1))
    catalogue = Catalogue(data_block(tmp_path))
    if expected == WORKS:
        assert (checked_sheet(catalogue)["split"] == "test").sum() == 2
        return
    places = {"test": tmp_path / "test_metadata.csv", "train": tmp_path / "train_metadata.csv"}
    sentences = [one.format(**places) for one in ([expected] if isinstance(expected, str) else expected)]
    assert [line.removeprefix("  - ") for line in refusal(catalogue).splitlines()][-len(sentences) :] == sentences


def test_a_clip_of_a_further_sheet_is_no_other_sheets_too(tmp_path):
    (tmp_path / "train_metadata.csv").write_text(SMALL)
    header, _, third = SMALL.splitlines()[0], *SMALL.splitlines()[2:4]
    (tmp_path / "more.csv").write_text(f"{header}\n{third.replace('A102', 'C1')}\n{third}\n")
    (tmp_path / "test_metadata.csv").write_text("filename\nC1_NEU_sit2_ver1\n")
    catalogue = Catalogue(data_block(tmp_path, train_only=[{"sheet": "more.csv", "videos": []}]))
    assert refusal(catalogue).splitlines()[1:] == [
        f"  - {tmp_path}/more.csv line 3: filename A102_neu_sit2_ver1 is also in {tmp_path}/train_metadata.csv line 4{TAKEN}",
        f"  - {tmp_path}/test_metadata.csv line 2: filename C1_NEU_sit2_ver1 differs only in case from C1_neu_sit2_ver1 in {tmp_path}/more.csv line 2{TAKEN}",
    ]
