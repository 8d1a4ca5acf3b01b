import numpy as np
import pytest

import validate_submission
from blemore.fusion.submission import write_submission

DECISIONS = np.array([[70, 30, 0, 0, 0, 0], [0, 0, 0, 0, 100, 0]], np.int8)


@pytest.fixture
def archive(tmp_path):
    write_submission(tmp_path / "team.zip", ["test_0001.mov", "test_0002.mov"], DECISIONS)
    return str(tmp_path / "team.zip")


def sheets(folder):
    (folder / "checked.csv").write_text("filename,split,video\nA1,train,A1.mov\ntest_0001,test,test_0001.mov\ntest_0002,test,test_0002.mov\n")
    (folder / "test_metadata.csv").write_text("filename\ntest_0001\ntest_0002\n")
    (folder / "videos").mkdir()
    for name in ("test_0001.mov", "test_0002.mov", "notes.txt"):
        (folder / "videos" / name).touch()
    return [str(folder / name) for name in ("checked.csv", "test_metadata.csv", "videos")]


def test_a_valid_submission_is_counted_whatever_names_the_test_clips(archive, tmp_path, capsys):
    for sheet in sheets(tmp_path):
        validate_submission.main([archive, "--sheet", sheet])
        assert capsys.readouterr().out == f"{archive} is valid: 2 clips, 1 of them blends; ang 1, disg 1, sad 1.\n"


def test_each_problem_is_a_sentence(tmp_path, capsys):
    write_submission(tmp_path / "team.zip", ["test_0001", "test_0002.mov"], np.array([[60, 40, 0, 0, 0, 0], [0, 0, 0, 0, 50, 50]], np.int8))
    with pytest.raises(SystemExit, match=r"team\.zip is not valid: 4 problems; it has 2 clips of 2\.$"):
        validate_submission.main([str(tmp_path / "team.zip"), "--sheet", sheets(tmp_path)[0]])
    assert capsys.readouterr().out.splitlines() == [
        "test_0001.mov is missing.",
        "test_0001 is no test clip.",
        "test_0001: saliences [60.0, 40.0] are none of 100, 50/50 and 70/30.",
        "test_0002.mov: neu cannot be part of a blend.",
    ]


def test_what_is_no_sheet_or_no_zip_is_one_sentence(archive, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "zero.csv").write_bytes(b"filename\n\0\n")
    (tmp_path / "latin.csv").write_bytes("filename\nü\n".encode("latin-1"))
    for sheet, sentence in (
        ("nowhere.csv", "{} is neither a sheet nor a folder; name results/data/sheet.csv of a run, test_metadata.csv, or the folder of the test videos."),
        (str(tmp_path / "empty"), "{} has no test clips; name the sheet or the folder that has."),
        (str(tmp_path / "latin.csv"), "{} is not UTF-8 (byte 9 is 0xfc); save it as CSV UTF-8."),
        (str(tmp_path / "zero.csv"), "{} is no text, since it holds a zero byte; save it as CSV UTF-8."),
    ):
        with pytest.raises(SystemExit) as refused:
            validate_submission.main([archive, "--sheet", sheet])
        assert str(refused.value) == sentence.format(sheet)
    with pytest.raises(SystemExit, match=r"absent\.zip is no zip with a JSON submission_template\.json in it \(.*\); write it again\.$"):
        validate_submission.main([str(tmp_path / "absent.zip"), "--sheet", sheets(tmp_path)[0]])
