import json
import zipfile

import numpy as np
import pytest

from blemore.fusion.submission import MEMBER, validate_submission, write_submission
from blemore.job import BadInput

VIDEOS = ["test_0002.mov", "test_0001.mov", "test_0003.mov"]
DECISIONS = np.array([[70, 30, 0, 0, 0, 0], [0, 0, 0, 0, 100, 0], [0, 50, 0, 50, 0, 0]], dtype=np.int8)
SINGLE = [{"emotion": "sad", "salience": 100}]


def pair(first="ang", second="hap", high=70, low=30):
    return [{"emotion": first, "salience": high}, {"emotion": second, "salience": low}]


@pytest.fixture
def submission(tmp_path):
    path = tmp_path / "wide.zip"
    write_submission(path, VIDEOS, DECISIONS)
    return path


def zipped(path, content, member=MEMBER):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, content if isinstance(content, str) else json.dumps(content))
    return path


def test_content_is_the_official_format(submission):
    with zipfile.ZipFile(submission) as archive:
        assert archive.namelist() == ["submission_template.json"]
        content = json.loads(archive.read("submission_template.json"))
    assert content == {
        "predictions": {
            "test_0001.mov": [{"emotion": "sad", "salience": 100.0}],
            "test_0002.mov": [{"emotion": "ang", "salience": 70.0}, {"emotion": "disg", "salience": 30.0}],
            "test_0003.mov": [{"emotion": "disg", "salience": 50.0}, {"emotion": "hap", "salience": 50.0}],
        }
    }


def test_what_is_written_is_valid_and_leaves_nothing_beside_it(submission):
    validate_submission(submission, VIDEOS)
    assert [file.name for file in submission.parent.iterdir()] == ["wide.zip"]


def test_equal_decisions_give_equal_bytes(submission, tmp_path):
    write_submission(tmp_path / "again.zip", VIDEOS[::-1], DECISIONS[::-1])
    assert (tmp_path / "again.zip").read_bytes() == submission.read_bytes()


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "one or two"),
        ({"emotion": "sad", "salience": 100}, "one or two"),
        (["sad"], "one or two"),
        (pair() + SINGLE, "one or two"),
        ([{"emotion": "sad"}], "entries have exactly an emotion and a salience"),
        ([{"emotion": "sad", "salience": 100, "p": 1}], "exactly an emotion and a salience"),
        ([{"emotion": "joy", "salience": 100}], "'joy' is none of ang"),
        ([{"emotion": ["sad"], "salience": 100}], "is none of ang"),
        (pair("ang", "ang"), "ang occurs twice"),
        (pair("ang", "neu"), "neu cannot"),
        (pair(high=60, low=40), "none of 100"),
        (pair(high=100, low=100), "none of 100"),
        ([{"emotion": "sad", "salience": 70}], "none of 100"),
        ([{"emotion": "sad", "salience": "100"}], "none of 100"),
        ([{"emotion": "sad", "salience": True}], "none of 100"),
        ([{"emotion": "sad", "salience": float("nan")}], "none of 100"),
        ([{"emotion": "sad", "salience": None}], "none of 100"),
    ],
)
def test_entries_that_the_challenge_would_refuse(tmp_path, entries, message):
    path = zipped(tmp_path / "a.zip", {"predictions": {"a.mov": SINGLE, "b.mov": entries}})
    with pytest.raises(BadInput, match=message) as refused:
        validate_submission(path, ["a.mov", "b.mov"])
    assert "b.mov" in str(refused.value)


@pytest.mark.parametrize("entries", [SINGLE, pair(), pair(high=50, low=50), pair(high=30, low=70), pair(high=70.0, low=30.0)])
def test_entries_that_it_takes(tmp_path, entries):
    assert validate_submission(zipped(tmp_path / "a.zip", {"predictions": {"a.mov": entries}}), ["a.mov"]) is None


@pytest.mark.parametrize("expected", [["test_0001.mov"], [*VIDEOS, "test_0004.mov"], [video.removesuffix(".mov") for video in VIDEOS]])
def test_exactly_the_test_clips_are_asked_for(submission, expected):
    with pytest.raises(BadInput) as refused:
        validate_submission(submission, expected)
    for key in set(expected) ^ set(VIDEOS):
        assert key in str(refused.value)


def test_all_problems_at_once_but_not_a_page_of_them(tmp_path):
    path = zipped(tmp_path / "a.zip", {"predictions": {"extra.mov": SINGLE, "a.mov": []}})
    with pytest.raises(BadInput) as refused:
        validate_submission(path, ["a.mov", "missing.mov"])
    assert str(refused.value) == (
        f"{path} is no valid submission (missing.mov is missing; extra.mov is no test clip; a.mov: must be a list of one or two entries); "
        "delete results/fusion and run again."
    )
    with pytest.raises(BadInput, match=r" and 43 more\); delete"):
        validate_submission(path, [f"{number}.mov" for number in range(50)])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"a\.zip is no zip with a JSON submission_template\.json in it \(.*\); write it again\.$"),
        ([], r'a\.zip: submission_template\.json must hold \{"predictions": \{file name: entries\}\} and nothing else\.$'),
        ({"predictions": []}, "and nothing else"),
        ({"predictions": {}, "team": "x"}, "and nothing else"),
        ('{"predictions": {"a.mov": [], "a.mov": []}}', "'a.mov' occurs more than once"),
    ],
)
def test_content_that_is_no_submission(tmp_path, content, message):
    with pytest.raises(BadInput, match=message):
        validate_submission(zipped(tmp_path / "a.zip", content), ["a.mov"])


@pytest.mark.parametrize("damage", ["flipped", "cut off", "encrypted", "packed otherwise"])
def test_a_zip_that_cannot_be_unpacked_is_one_sentence(tmp_path, damage):
    path = zipped(tmp_path / "a.zip", {"predictions": {f"{number}.mov": [] for number in range(99)}})
    content = bytearray(path.read_bytes())
    central = content.rindex(b"PK\x01\x02")
    if damage == "flipped":
        content[30 + len("submission_template.json")] = 0xFF
    elif damage == "cut off":
        content[29] = 0xFF  # of the length of what is between the header and the data
    elif damage == "encrypted":
        content[6] |= 1
        content[central + 8] |= 1
    else:
        content[8] = content[central + 10] = 97
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"a\.zip is no zip with a JSON submission_template\.json in it \(.*\); write it again\.$"):
        validate_submission(path, [])


def test_another_member_no_zip_and_no_file(tmp_path):
    with pytest.raises(BadInput, match=r"a\.zip has no member submission_template\.json; put the predictions there\.$"):
        validate_submission(zipped(tmp_path / "a.zip", "{}", member="predictions.json"), [])
    (tmp_path / "b.zip").write_text("{}")
    for name in ("b.zip", "absent.zip"):
        with pytest.raises(BadInput, match=f"{name} is no zip"):
            validate_submission(tmp_path / name, [])
