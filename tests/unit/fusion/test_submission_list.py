"""What a user typed in is kept whatever is written anew; what was made again starts without an answer."""

import csv

import pytest

from blemore.fusion.submission_list import COLUMNS, Submission, brought_up_to_date, decided_by, read_list, typed_scores, write_list
from blemore.job import BadInput

SCORES = {
    "members": ["s4d/own", "clip/mlp"],
    "chosen": {"alpha": 0.1, "beta": 0.2, "weights": [0.75, 0.25]},
    "protocols": {
        "official_test": {"best_fold": 3},
        "official_validation": {"folds": [{"fold": 2, "alpha": 9, "beta": 9, "weights": []}, {"fold": 3, "alpha": 0.3, "beta": 0.4, "weights": [0.5, 0.5]}]},
    },
}

MORE_OR_FEWER = r"submissions\.csv has a row with more or fewer cells than its first line; quote cells that hold a comma\.$"


def submission(digest, ensemble="all", protocol="pooled"):
    return Submission(ensemble, protocol, digest, 594, **decided_by(protocol, SCORES), settings={"fusion": {"average": "probabilities"}})


def test_a_protocol_says_what_decided_its_clips():
    assert decided_by("pooled", SCORES) == {"alpha": 0.1, "beta": 0.2, "weights": {"s4d/own": 0.75, "clip/mlp": 0.25}}
    assert decided_by("official_test", SCORES) == {"alpha": 0.3, "beta": 0.4, "weights": {"s4d/own": 0.5, "clip/mlp": 0.5}}


def test_what_was_typed_for_a_zip_stays_with_it(tmp_path):
    path = tmp_path / "submissions.csv"
    write_list(path, brought_up_to_date(read_list(path), [submission("aa"), submission("bb", protocol="official_test")]))
    rows = read_list(path)
    assert list(rows[0]) == list(COLUMNS)
    assert [row["Score"] for row in rows] == ["", ""]
    rows[1] |= {"ACC_P": ".391", "ACC_S": ".168", "Score": ".279", "note": "second try, 3 March", "mine": "x"}
    write_list(path, rows)

    write_list(path, brought_up_to_date(read_list(path), [submission("cc"), submission("bb", protocol="official_test")]))
    again = read_list(path)
    assert [(row["zip_sha256"], row["current"], row["Score"]) for row in again] == [("cc", "yes", ""), ("bb", "yes", ".279"), ("aa", "no", "")]
    assert (again[1]["note"], again[1]["mine"], again[0]["mine"]) == ("second try, 3 March", "x", "")
    write_list(path, brought_up_to_date(read_list(path), [submission("aa")]))
    assert [(row["zip_sha256"], row["current"]) for row in read_list(path)] == [("aa", "yes"), ("cc", "no"), ("bb", "no")]


def test_nothing_new_changes_no_byte(tmp_path):
    path = tmp_path / "submissions.csv"
    write_list(path, brought_up_to_date([], [submission("aa")]))
    before = path.read_bytes()
    write_list(path, brought_up_to_date(read_list(path), [submission("aa")]))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "ensemble;protocol;zip_sha256\nall;pooled;aa\n",
            r"submissions\.csv has no column ensemble; save it separated by commas, with its first line as it was\.$",
        ),
        ("ensemble,protocol\nall,pooled\n", "has no column zip_sha256"),
        ("ensemble,protocol,zip_sha256\nall,pooled\n", MORE_OR_FEWER),
        ("ensemble,protocol,zip_sha256\nall,pooled,aa,b\n", MORE_OR_FEWER),
    ],
)
def test_a_list_that_was_damaged_is_refused(tmp_path, text, words):
    (tmp_path / "submissions.csv").write_text(text)
    with pytest.raises(BadInput, match=words):
        read_list(tmp_path / "submissions.csv")


def test_a_list_saved_by_a_spreadsheet_is_read(tmp_path):
    path = tmp_path / "submissions.csv"
    write_list(path, brought_up_to_date([], [submission("aa")]))
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    with open(path, "w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, lineterminator="\r\n").writerows(rows)
    assert read_list(path)[0]["zip_sha256"] == "aa"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match=r"submissions\.csv is not UTF-8 \(.*\); save it as CSV UTF-8\.$"):
        read_list(path)


def test_typed_scores_are_read_and_what_is_no_score_is_named(tmp_path):
    path = tmp_path / "submissions.csv"
    rows = brought_up_to_date([], [submission("aa"), submission("bb", protocol="official_test")])
    rows[0] |= {"ACC_P": " .391", "Score": "0.279"}
    write_list(path, rows)
    assert typed_scores(path) == [("all", "pooled", True, {"ACC_P": 0.391, "ACC_S": None, "Score": 0.279})]
    for wrong in ("0,279", "27.9", "nan", "-.1"):
        rows[0]["Score"] = wrong
        write_list(path, rows)
        with pytest.raises(BadInput) as refused:
            typed_scores(path)
        assert str(refused.value) == f"{path}: Score of all, pooled, is {wrong!r}; type a number from 0 to 1, with a point, or nothing."
