import itertools

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemore.data.splits import split_clips


def sheet(rows):
    """Rows of (clip, actor, split, fold or None)."""
    frame = pd.DataFrame(rows, columns=["filename", "video_id", "split", "fold"])
    return frame.astype({"fold": "Int64"})


FIVE = sheet([(f"{actor}{take}", actor, "train", fold) for fold, pair in enumerate(["AB", "CD", "EF", "GH", "IJ"]) for actor in pair for take in (1, 2)])


def parts(frame, fold, early_stopping="inner"):
    return dict(zip(frame["filename"], split_clips(frame, fold, early_stopping)))


def test_fold_0_is_scored_fold_1_stops_and_the_others_train():
    found = parts(FIVE, 0)
    assert {clip for clip, part in found.items() if part == "scored"} == {"A1", "A2", "B1", "B2"}
    assert {clip for clip, part in found.items() if part == "inner"} == {"C1", "C2", "D1", "D2"}
    assert list(found.values()).count("train") == 12


def test_the_last_fold_is_followed_by_the_first():
    assert {clip[0] for clip, part in parts(FIVE, 4).items() if part == "inner"} == {"A", "B"}


def test_the_paper_holds_out_nobody():
    assert set(parts(FIVE, 2, "paper").values()) == {"scored", "train"}


def test_fold_numbers_need_not_follow_each_other():
    frame = sheet([("a", "A", "train", 1), ("b", "B", "train", 3), ("c", "C", "train", 7)])
    assert parts(frame, 7) == {"a": "inner", "b": "train", "c": "scored"}


def test_with_two_folds_half_of_the_other_folds_actors_stop():
    frame = sheet([("a", "A", "train", 0), ("b", "B", "train", 1), ("c", "C", "train", 1)])
    assert parts(frame, 0) == {"a": "scored", "b": "inner", "c": "train"}


def test_with_one_actor_in_the_other_fold_nobody_stops():
    frame = sheet([("a", "A", "train", 0), ("b", "B", "train", 1)])
    assert parts(frame, 0) == {"a": "scored", "b": "train"}


def test_test_clips_are_neither_trained_on_nor_scored():
    frame = pd.concat([FIVE, sheet([("test_1", "", "test", None)])])
    assert {parts(frame, fold)["test_1"] for fold in range(5)} == {"test"}


def test_further_sheets_only_train():
    more = sheet([("x", "X", "train_only", None), ("y", "", "train_only", None)])
    assert {parts(pd.concat([FIVE, more]), fold)[clip] for fold in range(5) for clip in "xy"} == {"train"}


@given(
    st.lists(st.tuples(st.sampled_from("ABCDEFG"), st.integers(1, 3)), min_size=3, max_size=30, unique=True),
    st.integers(2, 5),
    st.sampled_from(["inner", "paper"]),
)
def test_no_actor_is_in_two_parts(clips, folds, early_stopping):
    frame = sheet([(f"{actor}{take}", actor, "train", ord(actor) % folds) for actor, take in clips])
    for fold in frame["fold"].unique():
        actors = {}
        for clip, part in parts(frame, fold, early_stopping).items():
            actors.setdefault(part, set()).add(clip[0])
        assert all(not one & other for one, other in itertools.combinations(actors.values(), 2))
        assert actors["scored"] == set(frame.loc[frame["fold"] == fold, "video_id"])


def test_every_clip_is_scored_once():
    scored = [clip for fold in range(5) for clip, part in parts(FIVE, fold).items() if part == "scored"]
    assert sorted(scored) == sorted(FIVE["filename"])


@pytest.mark.parametrize("fold", range(5))
def test_the_order_of_rows_does_not_count(fold):
    assert parts(FIVE.sample(frac=1, random_state=3), fold) == parts(FIVE, fold)
