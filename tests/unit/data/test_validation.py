import random
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.data.sheets import COLUMNS, SMALL, data_block, full_train_rows, row, touch, write_full, write_sheet

import check_sheet
from blemore.data.catalogue import Catalogue
from blemore.data.labels import percentages
from blemore.data.preparation import checked_sheet
from blemore.data.sheet import read_checked_sheet, write_checked_sheet
from blemore.data.validation import validate
from blemore.job import BadInput


def refusal(catalogue: Catalogue) -> str:
    with pytest.raises(BadInput) as refused:
        validate(catalogue)
    return str(refused.value)


def small(root, old: str = "", new: str = "", **changes) -> Catalogue:
    assert old in SMALL
    (root / "train_metadata.csv").write_text(SMALL.replace(old, new, 1))
    return Catalogue(data_block(root, **changes))


def test_the_small_sheet_itself_is_valid(tmp_path):
    assert validate(small(tmp_path)) is None


def test_numbers_may_be_written_as_pandas_writes_them_beside_empty_cells(tmp_path):
    assert validate(small(tmp_path, "hap,30,70,0", "hap,30.0,70.0,0.0")) is None


def test_all_problems_come_at_once_the_first_twenty_in_full(tmp_path):
    write_sheet(tmp_path / "train_metadata.csv", [{**clip, "emotion_1": "joy"} for clip in full_train_rows()[:33]])
    lines = refusal(Catalogue(data_block(tmp_path))).splitlines()
    assert lines[0] == "34 problems in the sheets:"
    assert lines[1].startswith("  - ")
    assert lines[1].endswith("emotion_1 is 'joy'; it must be one of ang, disg, fea, hap, sad, neu, empty.")
    assert lines[-1] == "  - and 14 more."
    assert len(lines) == 22


def test_problems_of_different_kinds_come_at_once(tmp_path):
    (tmp_path / "train_metadata.csv").write_text(SMALL.replace("0,ang,", "0,hap,").replace("50,50", "60,40").replace("sit2,,,,1", "sit2,,,,0"))
    assert refusal(Catalogue(data_block(tmp_path))).splitlines()[0] == "3 problems in the sheets:"


def test_other_data_sets_name_clips_as_they_like(tmp_path):
    assert validate(small(tmp_path, "A101_ang_int1_ver1", "talker-7.take_2")) is None


def test_an_empty_sheet_has_nothing_to_train_on(tmp_path):
    (tmp_path / "train_metadata.csv").write_text(",".join(COLUMNS) + "\n")
    assert (
        refusal(Catalogue(data_block(tmp_path)))
        == "no clip of train_metadata.csv takes part, so there is nothing to train on; add clips, or widen data.only_actors."
    )


def test_two_folds_are_enough(tmp_path):
    (tmp_path / "train_metadata.csv").write_text(SMALL.replace(",2\n", ",1\n"))
    assert validate(Catalogue(data_block(tmp_path))) is None


def test_one_fold_is_not(tmp_path):
    (tmp_path / "train_metadata.csv").write_text(SMALL.replace(",2\n", ",0\n").replace(",1\n", ",0\n"))
    expected = "train_metadata.csv has the one fold 0; at least 2 are needed, so fill the column fold or set data.folds to made."
    assert refusal(Catalogue(data_block(tmp_path))) == expected


def test_one_actor_alone_may_run_a_part(tmp_path):
    assert validate(small(tmp_path, only_actors=["A102"])) is None


def test_made_folds_need_no_column_and_ignore_it(tmp_path):
    assert validate(small(tmp_path, "30,70,0", "30,70,first", folds="made")) is None


def test_more_made_folds_than_actors_are_refused(tmp_path):
    expected = "data.made_folds.count is 5, but there are only 3 actors; make fewer folds."
    assert refusal(small(tmp_path, folds="made", made_folds={"count": 5, "seed": 1})) == expected


def test_an_actor_that_only_trains_must_not_be_scored(tmp_path):
    write_sheet(tmp_path / "more.csv", [row("x", "A102", "", "ang"), row("y", "B9", "", "sad"), row("z", "", "", "hap")])
    expected = f"{tmp_path}/more.csv line 2: actor A102 of a train_only sheet is scored in train_metadata.csv; move the clips there, into that actor's fold."
    assert refusal(small(tmp_path, train_only=[{"sheet": "more.csv", "videos": []}])) == expected


def test_a_train_only_clip_needs_a_label(tmp_path):
    write_sheet(tmp_path / "more.csv", [row("x", "B1", "", "ang"), {**row("y", "B1", "", ""), "mix": ""}])
    expected = f"{tmp_path}/more.csv line 3: emotion_1 is empty; a clip that trains needs a label, so give it or remove the row."
    assert refusal(small(tmp_path, train_only=[{"sheet": "more.csv", "videos": []}])) == expected


def test_test_labels_are_optional_but_checked(tmp_path):
    rows = [row("test_0001", "", "", "ang", "sad", ratio=(70, 30)), {**row("test_0002", "", "", ""), "mix": ""}]
    write_sheet(tmp_path / "test_metadata.csv", rows)
    validate(small(tmp_path))
    write_sheet(tmp_path / "test_metadata.csv", [*rows, row("test_0003", "", "", "ang", "sad", ratio=(60, 40))])
    assert refusal(small(tmp_path)) == f"{tmp_path}/test_metadata.csv line 4: saliences are 60/40, and only 50/50, 70/30 and 30/70 exist; correct the row."


def test_a_full_size_data_set_is_valid(tmp_path):
    write_full(tmp_path)
    assert validate(Catalogue(data_block(tmp_path))) is None


@pytest.fixture
def made(tmp_path) -> pd.DataFrame:
    write_sheet(tmp_path / "more.csv", [row("extra", "B1", "", "hap")])
    touch(tmp_path / "test_videos" / "test_0001.mp4")
    touch(tmp_path / "part_01" / "A102_neu_sit2_ver1.mp4")
    return checked_sheet(small(tmp_path, train_only=[{"sheet": "more.csv", "videos": []}]))


def test_checked_sheet_has_the_official_columns_and_three_more(made):
    assert list(made.columns) == [*COLUMNS, "split", "shard", "video"]
    assert made["split"].tolist() == ["train"] * 6 + ["train_only", "test"]
    assert made.iloc[-1][["filename", "shard", "video"]].tolist() == ["test_0001", "bucket_15", "test_0001.mp4"]
    assert made["video"].tolist()[0] == "A101_ang_int1_ver1.mp4"


def test_checked_sheet_is_read_as_it_was_made(made, tmp_path):
    write_checked_sheet(tmp_path / "sheet.csv", made)
    again = read_checked_sheet(tmp_path / "sheet.csv")
    pd.testing.assert_frame_equal(again, made)
    assert again["fold"].tolist()[:6] == [0, 0, 1, 1, 2, 2]
    assert again["fold"].isna().tolist() == [False] * 6 + [True] * 2
    assert (again["emotion_1_salience"].dtype, again["fold"].dtype) == ("float64", "Int64")
    assert again.loc[0, "emotion_2"] == ""


def test_equal_sheets_give_equal_bytes_whatever_the_order_of_the_rows(tmp_path):
    rows = full_train_rows()
    written = []
    for seed in (1, 2):
        random.Random(seed).shuffle(rows)
        write_sheet(tmp_path / "train_metadata.csv", rows)
        write_checked_sheet(tmp_path / "sheet.csv", checked_sheet(Catalogue(data_block(tmp_path, folds="made", made_folds={"count": 5, "seed": 1}))))
        written.append((tmp_path / "sheet.csv").read_bytes())
    assert written[0] == written[1]


def test_made_folds_are_in_the_checked_sheet(tmp_path):
    sheet = checked_sheet(small(tmp_path, folds="made"))
    assert sheet.groupby("video_id")["fold"].nunique().tolist() == [1, 1, 1]
    assert sorted(sheet["fold"].unique()) == [0, 1, 2]


@given(st.integers(0, len(SMALL)), st.integers(0, 30), st.binary(max_size=8) | st.sampled_from([b",", b"\n", b'"', b"\0", b"nan", b"1e9"]))
def test_any_damage_is_refused_or_harmless(tmp_path_factory, start, length, damage):
    """Whatever stands in the file, nothing but BadInput comes out, and a sheet that passes has labels that sum to 1."""
    root = tmp_path_factory.mktemp("damaged")
    text = SMALL.encode()
    (root / "train_metadata.csv").write_bytes(text[:start] + damage + text[start + length :])
    try:
        sheet = checked_sheet(Catalogue(data_block(root)))
    except BadInput as refused:
        assert str(refused)  # noqa: PT017
    else:
        assert (percentages(sheet).sum(1) == 100).all()


def test_the_script_writes_the_checked_sheet(made, tmp_path):
    data = data_block(tmp_path, train_only=[{"sheet": "more.csv", "videos": []}])
    check_sheet.main(SimpleNamespace(params=SimpleNamespace(cfg=data), output=SimpleNamespace(sheet=tmp_path / "sheet.csv")))
    pd.testing.assert_frame_equal(read_checked_sheet(tmp_path / "sheet.csv"), made)
