import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.data.sheets import full_train_rows, row

from blemore.data.labels import EMOTIONS, has_labels, percentages, soft_labels
from blemore.job import BadInput

FIVE = ("ang", "disg", "fea", "hap", "sad")
ratios = st.sampled_from([(50, 50), (70, 30), (30, 70)])
singles = st.sampled_from(EMOTIONS).map(lambda emotion: row("x", "A1", 0, emotion))
blends = st.tuples(st.lists(st.sampled_from(FIVE), min_size=2, max_size=2, unique=True), ratios).map(lambda drawn: row("x", "A1", 0, *drawn[0], ratio=drawn[1]))


def slow_percentages(rows):
    """The rule as the data set's description has it, cell by cell."""
    table = []
    for clip in rows:
        line = []
        for emotion in ("ang", "disg", "fea", "hap", "sad", "neu"):
            if clip["emotion_1"] == emotion:
                line.append(int(clip["emotion_1_salience"]) if clip["mix"] == 1 else 100)
            elif clip["emotion_2"] == emotion:
                line.append(int(clip["emotion_2_salience"]))
            else:
                line.append(0)
        table.append(line)
    return table


def test_order_of_the_emotions():
    assert EMOTIONS == ("ang", "disg", "fea", "hap", "sad", "neu")


def test_hand_worked_rows():
    rows = [row("a", "A1", 0, "neu"), row("b", "A1", 0, "ang", "hap", ratio=(30, 70)), row("c", "A1", 0, "disg", "sad", ratio=(50, 50))]
    expected = [[0, 0, 0, 0, 0, 1], [0.3, 0, 0, 0.7, 0, 0], [0, 0.5, 0, 0, 0.5, 0]]
    labels = soft_labels(rows)
    assert labels.dtype == np.float32
    np.testing.assert_array_equal(labels, np.array(expected, np.float32))


@given(st.lists(st.one_of(singles, blends), min_size=1, max_size=20))
def test_percentages_are_those_of_the_slow_rule(rows):
    percent = percentages(rows)
    assert percent.dtype == np.int8
    assert percent.tolist() == slow_percentages(rows)
    assert (percent.sum(1) == 100).all()


@given(st.lists(st.one_of(singles, blends), min_size=1, max_size=20))
def test_soft_labels_round_to_percentages_and_sum_to_one(rows):
    soft = soft_labels(rows)
    np.testing.assert_array_equal(np.rint(soft * 100), percentages(rows))
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-7)


@pytest.mark.parametrize("form", ["rows", "columns", "table", "text", "floats", "nullable"])
def test_every_form_of_a_sheet_gives_the_same(form):
    rows = full_train_rows()[:400]
    table = pd.DataFrame(rows)
    numeric = {name: pd.to_numeric(table[name]) for name in ("mix", "emotion_1_salience", "emotion_2_salience")}
    forms = {
        "rows": rows,
        "columns": {name: list(values) for name, values in table.items()},
        "table": table,
        "text": table.astype(str),
        "floats": table.assign(**numeric).replace({"emotion_2": {"": np.nan}}),
        "nullable": table.assign(**numeric).convert_dtypes(),
    }
    np.testing.assert_array_equal(percentages(forms[form]), slow_percentages(rows))


def test_a_sheet_of_singles_needs_no_columns_of_blends():
    assert percentages({"emotion_1": ["hap"]}).tolist() == [[0, 0, 0, 100, 0, 0]]


def test_no_rows_give_no_labels():
    assert soft_labels(pd.DataFrame(columns=["emotion_1"])).shape == (0, 6)


@pytest.mark.parametrize("missing", ["", None, float("nan"), pd.NA])
def test_has_labels_marks_rows_with_a_first_emotion(missing):
    assert has_labels({"emotion_1": ["ang", missing, "neu"]}).tolist() == [True, False, True]


WRONG = [
    (row("c", "A1", 0, "angry"), "'angry' is not one of ang, disg, fea, hap, sad, neu"),
    (row("c", "A1", 0, "ang", "joy", ratio=(50, 50)), "'joy' is not one of ang, disg, fea, hap, sad, neu"),
    (row("c", "A1", 0, "ang", "neu", ratio=(50, 50)), "neutral never occurs in a blend"),
    (row("c", "A1", 0, "neu", "ang", ratio=(50, 50)), "neutral never occurs in a blend"),
    (row("c", "A1", 0, "sad", "sad", ratio=(70, 30)), "both emotions of the blend are 'sad'"),
    (row("c", "A1", 0, "ang", "sad", ratio=(60, 40)), "saliences are 60/40, and only 50/50, 70/30 and 30/70 exist"),
    (row("c", "A1", 0, "ang", "sad", ratio=(70, 70)), "saliences are 70/70, and only 50/50, 70/30 and 30/70 exist"),
    (row("c", "A1", 0, "ang", "sad", ratio=(0.7, 0.3)), "saliences are 0.7/0.3, and only 50/50, 70/30 and 30/70 exist"),
    (row("c", "A1", 0, "ang", "sad"), "saliences are empty/empty, and only 50/50, 70/30 and 30/70 exist"),
    (row("c", "A1", 0, "ang", "sad", ratio=("half", 50)), "saliences are half/50, and only 50/50, 70/30 and 30/70 exist"),
    (row("c", "A1", 0, "ang", ratio=(100, "")), "a single emotion has no salience, but 100 is given"),
    (row("c", "A1", 0, "ang") | {"mix": 1}, "mix is 1 but emotion_2 is empty"),
    (row("c", "A1", 0, "ang", "sad", ratio=(50, 50)) | {"mix": 0}, "mix is 0 but emotion_2 is 'sad'"),
    (row("c", "A1", 0, ""), "it has no emotion_1, and only labelled clips have soft labels"),
]


@pytest.mark.parametrize(("clip", "sentence"), WRONG)
def test_a_label_that_does_not_exist_is_refused_with_the_row(clip, sentence):
    with pytest.raises(BadInput) as refused:
        soft_labels([row("fine", "A1", 0, "ang"), clip])
    assert str(refused.value) == f"row 1 (c): {sentence}; correct it or leave the row out."
