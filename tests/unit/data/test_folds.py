from collections import Counter

import numpy as np
import pandas as pd
import pytest
from unit.data.sheets import full_train_rows, row

from blemore.data.folds import made_folds


@pytest.fixture(scope="module")
def full() -> pd.DataFrame:
    return pd.DataFrame(full_train_rows())


def test_no_actor_is_in_two_folds(full):
    assert full.assign(made=made_folds(full, 5, 1)).groupby("video_id")["made"].nunique().eq(1).all()


def test_folds_are_balanced_in_clips_and_blends(full):
    made = full.assign(made=made_folds(full, 5, 1)).groupby("made")
    assert made.size().between(0.85 * 2456 / 5, 1.15 * 2456 / 5).all()
    assert made["mix"].mean().between(0.54 - 0.04, 0.54 + 0.04).all()


def test_every_emotion_is_in_every_fold_to_a_like_share(full):
    made = full.assign(made=made_folds(full, 5, 1))
    shares = made.pivot_table(index="made", columns="emotion_1", values="filename", aggfunc="count") / made.groupby("made").size().to_numpy()[:, None]
    assert (shares.std() < 0.25 * shares.mean()).all()


def test_the_order_of_the_rows_does_not_count(full):
    folds = dict(zip(full["filename"], made_folds(full, 5, 1)))
    shuffled = full.sample(frac=1, random_state=3)
    assert dict(zip(shuffled["filename"], made_folds(shuffled, 5, 1))) == folds


def test_the_seed_decides(full):
    assert not np.array_equal(made_folds(full, 5, 1), made_folds(full, 5, 2))
    np.testing.assert_array_equal(made_folds(full, 5, 2), made_folds(full, 5, 2))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_as_many_actors_as_folds_give_one_actor_each(count):
    """Every label occurs once, which scikit-learn alone refuses."""
    sheet = pd.DataFrame([row(f"c{actor}", f"A{actor}", "", emotion) for actor, emotion in zip(range(count), ("ang", "disg", "fea", "hap", "sad"))])
    assert Counter(made_folds(sheet, count, 1).tolist()) == dict.fromkeys(range(count), 1)
