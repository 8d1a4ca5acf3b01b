import numpy as np
import pandas as pd
import pytest

from blemore.data.labels import EMOTIONS
from blemore.fusion.predictions import columns, mean_predictions, rows_of, scored_predictions, write_table
from blemore.job import BadInput
from blemore.stores import Probabilities, write_probabilities

SHEET = pd.DataFrame({"filename": ["a", "b", "c", "d"], "fold": pd.array([0, 1, 0, 1], dtype="Int64")})


def row_of(clip, fold):
    """Numbers that name the clip and the fold."""
    return [ord(clip[0]), fold, 0, 0, 0, 0]


def write(path, clips, splits, fold):
    probability = np.array([row_of(clip, fold) for clip in clips], dtype=np.float32)
    write_probabilities(path, Probabilities(probability, clips, splits, probability), EMOTIONS, {})
    return path


@pytest.fixture
def stores(tmp_path):
    """Rows in another order than the sheet, and in each fold another one."""
    return {
        0: write(tmp_path / "fold0.zarr", ["z", "c", "b", "a", "d", "y"], ["test", "scored", "train", "scored", "inner", "test"], 0),
        1: write(tmp_path / "fold1.zarr", ["d", "y", "a", "c", "z", "b"], ["scored", "test", "train", "train", "test", "scored"], 1),
    }


def test_each_clip_comes_from_the_model_of_its_own_fold(stores):
    assert scored_predictions(stores, SHEET).tolist() == [row_of("a", 0), row_of("b", 1), row_of("c", 0), row_of("d", 1)]


def test_test_clips_are_averaged_over_the_folds_by_id(stores):
    assert mean_predictions(list(stores.values()), ["y", "z"]).tolist() == [row_of("y", 0.5), row_of("z", 0.5)]


def test_without_test_clips_there_are_no_rows(tmp_path):
    store = write(tmp_path / "fold0.zarr", ["a"], ["scored"], 0)
    assert mean_predictions([store], []).shape == (0, 6)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (["a"], r"fold0\.zarr and the sheet differ in 1 scored clips, c being in the store alone; delete the store and run again\.$"),
        (["a", "c", "x"], r"fold0\.zarr and the sheet differ in 1 scored clips, x being in the sheet alone; delete "),
        ([], "differ in 2 scored clips, a being in the store alone"),
    ],
)
def test_a_store_of_other_clips_is_refused(stores, clips, message):
    with pytest.raises(BadInput, match=message):
        rows_of(stores[0], "scored", clips)


def test_six_columns_in_the_order_of_the_emotions():
    table = pd.DataFrame(columns("truth", np.arange(12).reshape(2, 6)))
    assert list(table) == ["truth_ang", "truth_disg", "truth_fea", "truth_hap", "truth_sad", "truth_neu"]
    assert table.loc[1].tolist() == [6, 7, 8, 9, 10, 11]


def test_a_table_is_read_back_to_the_last_bit(tmp_path):
    table = pd.DataFrame({"clip": ["a", "b"], "p": [0.1 + 0.2, 1 / 3]})
    write_table(tmp_path / "t.csv", table)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv"), table, check_exact=True)
    assert [file.name for file in tmp_path.iterdir()] == ["t.csv"]
