from pathlib import Path

import pytest

from blemore.features.imported import read_predictions
from blemore.job import BadInput

HEADER = "clip,fold,probability_ang,probability_disg,probability_fea,probability_hap,probability_sad,probability_neu"
CLIPS = {"A1_one": ("train", 0), "A2_two": ("train", 1), "B9_more": ("train_only", None), "test_1": ("test", None)}
GOOD = "A1_one,0,0.5,0.1,0.1,0.1,0.1,0.1"


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def read(*lines, header=HEADER):
    Path("p.csv").write_text("\n".join([header, *lines]) + "\n")
    return read_predictions([Path("p.csv")], CLIPS)


def test_rows_are_taken_as_they_are_and_other_columns_are_not_read():
    assert read(GOOD + ",x", "test_1,,0,0,0,0,0,1.0,y", header=HEADER + ",more") == {"A1_one": [0.5, 0.1, 0.1, 0.1, 0.1, 0.1], "test_1": [0, 0, 0, 0, 0, 1]}


def test_several_files_of_which_one_has_no_folds():
    Path("test.csv").write_text("\ufeff" + HEADER.replace("fold,", "") + "\ntest_1,1,0,0,0,0,0\n", encoding="utf-8")
    Path("p.csv").write_text(f"{HEADER}\n{GOOD}\nA2_two,1.0,0,0,0,0,0,1\nB9_more,7,0,0,0,0,0,1\n")
    assert [*read_predictions([Path("p.csv"), Path("test.csv")], CLIPS)] == ["A1_one", "A2_two", "B9_more", "test_1"]


def test_folds_that_are_not_made_yet_are_not_compared():
    Path("p.csv").write_text(f"{HEADER}\n{GOOD}\n")
    assert [*read_predictions([Path("p.csv")], {"A1_one": ("train", None)})] == ["A1_one"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("A1_on,0,1,0,0,0,0,0", "'A1_on' is no clip of the sheets; correct its name or leave the line out."),
        ("A1_one,1,1,0,0,0,0,0", "A1_one has fold 1, in the sheet 0; its prediction must come from a model that did not learn from fold 0."),
        ("A1_one,zero,1,0,0,0,0,0", "A1_one has fold zero, in the sheet 0; its prediction must come from a model that did not learn from fold 0."),
        ("A1_one,,1,0,0,0,0,0", "A1_one has no fold; give the one that its model did not learn from."),
        ("test_1,0,1,0,0,0,0,0", "test_1 has fold 0; leave it empty, since it is a test clip."),
        ("A1_one,0,.5,.5,.5,0,0,0", "the probabilities of A1_one sum to 1.5, not 1; correct them or leave the line out."),
        *(
            (f"A1_one,0,{cells}", "the probabilities of A1_one are not six numbers from 0 to 1; leave the line out where there is no prediction.")
            for cells in ("nan,0,0,0,0,1", ",,,,,", "1,0,0,0", "x,0,0,0,0,1", "-1,1,1,0,0,0", "inf,0,0,0,0,0")
        ),
    ],
)
def test_a_wrong_line_gets_a_sentence_that_names_it(line, sentence):
    with pytest.raises(BadInput) as refused:
        read(line)
    assert str(refused.value) == f"p.csv line 2: {sentence}"


def test_a_clip_that_is_there_twice_is_refused_and_all_problems_are_named_at_once():
    with pytest.raises(BadInput) as refused:
        read(GOOD, GOOD, "nobody,0,1,0,0,0,0,0")
    assert str(refused.value).splitlines() == [
        "2 problems in imported predictions:",
        "  - p.csv line 3: A1_one is there twice, first in p.csv line 2; keep one.",
        "  - p.csv line 4: 'nobody' is no clip of the sheets; correct its name or leave the line out.",
    ]


def test_columns_that_are_missing_are_named():
    with pytest.raises(BadInput, match=r"^p\.csv line 1: there is no column probability_neu; clip, fold and probability_ang to probability_neu are needed\.$"):
        read(GOOD, header=HEADER.removesuffix(",probability_neu"))


@pytest.mark.parametrize("content", [b"\xff\xfe", b'clip,"fold\n'])
def test_what_is_no_csv_is_refused(content):
    Path("p.csv").write_bytes((HEADER.encode() + b"\n" if content[0] != 0xFF else b"") + content)
    with pytest.raises(BadInput, match=r"^p\.csv cannot be read as CSV in UTF-8 \(.*\); save it so, separated by commas\.$"):
        read_predictions([Path("p.csv")], CLIPS)
