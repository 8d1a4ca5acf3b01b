import numpy as np
import pytest

import difference
from blemore.fusion.metrics import is_blend
from blemore.fusion.simulator import FOLD_BLENDS, FOLD_CLIPS, Population, simulate, simulate_unseen
from blemore.fusion.thresholds import search_grid


def test_official_counts():
    data = simulate(Population(), 0)
    assert data.probabilities.shape == (12, 2456, 6)
    assert np.bincount(data.fold).tolist() == list(FOLD_CLIPS)
    assert np.bincount(data.fold[is_blend(data.truth)]).tolist() == list(FOLD_BLENDS)
    assert len(np.unique(data.actor)) == 43
    assert all(len(np.unique(data.fold[data.actor == actor])) == 1 for actor in np.unique(data.actor))
    assert data.probabilities.sum(axis=2) == pytest.approx(np.ones((12, 2456)))


def test_same_seed_same_data():
    first, again, other = (simulate(Population(), seed) for seed in (1, 1, 2))
    assert np.array_equal(first.probabilities, again.probabilities)
    assert not np.array_equal(first.probabilities, other.probabilities)


def test_strength_and_correlation_can_be_tuned():
    weak, strong = (
        search_grid(simulate(Population((strength,)), 0).probabilities[0], simulate(Population((strength,)), 0).truth).score for strength in (0.3, 1.5)
    )
    assert strong > 2 * weak
    alike = simulate(Population((1.0, 1.0), correlation=1.0, style=0.0), 0).probabilities
    assert np.array_equal(*alike)


def test_the_label_mix_can_be_tuned():
    population = Population((1.0,), blend_share=0.25, even_share=0.6)
    for data in (simulate(population, 0), simulate_unseen(population, 0, actors=10, clips_per_actor=40)):
        blends = data.truth[is_blend(data.truth)]
        assert len(blends) == pytest.approx(0.25 * len(data.truth), abs=3)
        assert (blends.max(axis=1) == 50).mean() == pytest.approx(0.6, abs=0.005)
    unchanged = simulate_unseen(Population((1.0,)), 0, actors=10, clips_per_actor=50)
    assert is_blend(unchanged.truth).sum() == 270


def test_unseen_actors_are_as_many_as_asked():
    unseen = simulate_unseen(Population((1.0,)), 0, actors=7, clips_per_actor=9)
    assert len(np.unique(unseen.actor)) == 7
    assert unseen.truth.shape == (63, 6)


def test_what_a_difference_means(capsys):
    difference.main(["0.017", "--sets", "4", "--clips", "60", "--actors", "5"])
    assert "on 4 test sets of 60 clips by 5 actors" in capsys.readouterr().out
    small = ["0.017", "--sets", "2", "--clips", "60", "--actors", "5"]
    difference.main([*small, "--strength", "50", "--correlation", "0", "--style", "0", "--blend-share", "0", "--even-share", "1"])
    assert "scores +0.0000 on average, +0.0000 to +0.0000" in capsys.readouterr().out, "encoders without noise leave nothing to gain"


@pytest.mark.parametrize(
    "wrong", [("--clips", "3"), ("--correlation", "1.1"), ("--even-share", "-0.1"), ("--blend-share", "2"), ("--strength", "-1"), ("--style", "nan")]
)
def test_what_no_population_has_is_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        difference.main(["0.017", *wrong])
    counts = "error: clips, actors and sets must be positive, and every actor needs a clip\n"
    shares = "error: correlation and shares must be from 0 to 1, strength and style must not be negative\n"
    assert capsys.readouterr().err.endswith(counts if wrong[0] == "--clips" else shares)
