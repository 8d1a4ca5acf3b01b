"""The weight searches beside greedy selection, and the compiled objective against decoding at every point."""

import os
import re
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from threadpoolctl import threadpool_limits
from unit.fusion.cases import degenerate, random_probabilities, random_truth

from blemore.fusion.published_weights import PUBLISHED
from blemore.fusion.search import Data, Objective, simplex_hours
from blemore.fusion.thresholds import grid_scores
from blemore.fusion.weights import fuse, search_temperatures, search_weights, stack, temper
from blemore.job import BadInput


def drawn(seed, clips=60, skills=(1.2, 0.8, 0.0)):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, clips)
    return np.array([random_probabilities(rng, truth, skill) for skill in skills]), truth, rng.integers(3, size=clips)


def surface_maximum(fused, truth, folds, times):
    """The best mean over folds, from the surfaces of clips that are written down as often as they count."""
    presence, salience, with_blends = 0, 0, 0
    drawn_folds = np.unique(folds[times > 0])
    for fold in drawn_folds:
        count = times * (folds == fold)
        surface = grid_scores(np.repeat(fused, count, axis=0), np.repeat(truth, count, axis=0))
        presence, salience = presence + surface.presence, salience + surface.salience
        with_blends += (np.count_nonzero(truth[count > 0], axis=1) == 2).any()
    presence, salience = presence / len(drawn_folds), salience / max(with_blends, 1)
    return (0.5 * presence + 0.5 * salience).max()


@pytest.mark.parametrize("average", ["probabilities", "log_probabilities"])
def test_objective_as_the_surfaces_of_repeated_clips(average):
    rng = np.random.default_rng(0)
    for case in range(150):
        clips = int(rng.integers(1, 30))
        truth = random_truth(rng, clips, blends=rng.choice([0.0, 0.5, 1.0]))
        made = (
            (lambda clips=clips: degenerate(rng, clips))
            if average == "probabilities" and rng.random() < 0.4
            else lambda truth=truth: random_probabilities(rng, truth)
        )
        probabilities = np.array([made() for _ in range(3)])
        probabilities[rng.random((3, clips)) < 0.15] = np.nan
        folds, times = rng.integers(3, size=clips), rng.integers(0, 3, size=clips)
        times[0] = 1
        weights = np.eye(3) if case % 2 else rng.dirichlet(np.ones(3), 4)
        objective = Objective(Data(stack(probabilities, average), truth, folds, average == "log_probabilities"), times)
        expected = [surface_maximum(fuse(probabilities, one, average), truth, folds, times) for one in weights]
        assert objective(weights) == pytest.approx(expected, abs=1e-11)


def test_simplex_is_the_best_of_every_point():
    probabilities, truth, folds = drawn(1)
    objective = Objective(Data(stack(probabilities), truth, folds, False), np.ones(60, dtype=np.int64))
    points = [point for point in product(range(5), repeat=3) if sum(point) == 4]
    assert simplex_hours(3, 60, 4)[0] == len(points)
    found = search_weights(probabilities, truth, folds, "simplex", step=0.25)
    assert objective(found[np.newaxis])[0] == objective(np.array(points) / 4).max()
    assert (found * 4 == np.round(found * 4)).all()


def test_a_simplex_of_many_hours_is_refused_with_its_time():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(6), (12, 300))
    with pytest.raises(BadInput) as refused:
        search_weights(probabilities, random_truth(np.random.default_rng(0), 300), np.zeros(300), "simplex", step=0.02)
    said = re.sub(r"[\d,.]+(?= points| h for)", "N", str(refused.value))
    assert said == (
        "the grid of weights with fusion.weights.step 0.02 has N points for 12 encoders: about N h for one search on 300 clips, "
        "more than the 1 h of fusion.weights.max_hours; take a larger step, or the method greedy."
    )


@pytest.mark.parametrize("step", [0.3, 0.07])
def test_a_step_that_does_not_divide_one_is_refused(step):
    with pytest.raises(BadInput, match=r"^fusion\.weights\.step is 0\.\d+; 1 must be a multiple of it, as of 0\.1 or 0\.05\.$"):
        search_weights(*drawn(1), "simplex", step=step)


@pytest.mark.parametrize("method", ["simplex", "coordinate", "cma_es"])
@pytest.mark.parametrize("average", ["probabilities", "log_probabilities"])
def test_each_search_beats_equal_weights_on_what_it_maximises(method, average):
    probabilities, truth, folds = drawn(2, clips=200)
    objective = Objective(Data(stack(probabilities, average), truth, folds, average == "log_probabilities"), np.ones(200, dtype=np.int64))
    weights = search_weights(probabilities, truth, folds, method, evaluations=300, average=average)
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert objective(weights[np.newaxis])[0] > objective(np.full((1, 3), 1 / 3))[0]


def test_coordinate_search_ends_where_no_smallest_move_helps():
    probabilities, truth, folds = drawn(3, clips=200)
    objective = Objective(Data(stack(probabilities), truth, folds, False), np.ones(200, dtype=np.int64))
    weights = search_weights(probabilities, truth, folds, "coordinate")
    moves = np.maximum(weights + 0.01 * np.concatenate([np.eye(3), -np.eye(3)]), 0)
    assert objective(moves / moves.sum(axis=1, keepdims=True)).max() <= objective(weights[np.newaxis])[0]


THREADS_PROGRAM = """
import numpy as np
from blemore.fusion.decode import evaluate_decoders
from blemore.fusion.protocols import OutOfFold, evaluate_all
from blemore.fusion.resampling import draw_actors
from blemore.fusion.weights import fuse, search_weights
rng = np.random.default_rng(0)
truth = (np.eye(6, dtype=np.int8) * 100)[rng.integers(6, size=1000)]
truth[:500, 0], truth[:500, 1:], truth[:500, 2] = 70, 0, 30
probabilities, fold = rng.dirichlet(np.ones(6), (8, 1000)), np.arange(1000) % 2
for method in ("greedy", "coordinate", "cma_es", "simplex"):
    found = [search_weights(probabilities, truth, fold, method, picks=4, bags=2, step=0.5, evaluations=100) for _ in range(2)]
    assert np.array_equal(*found)
    print(method, found[0].tobytes().hex(), fuse(probabilities, found[0]).tobytes().hex())
data = OutOfFold(probabilities[:2], truth, fold, np.char.add("A", (np.arange(1000) % 20).astype(str)))
evaluations, _ = evaluate_all(data, {"weights": {"method": "uniform"}, "thresholds": {}}, False)
print(evaluate_decoders(data, evaluations, {}, draw_actors(20, 50, 1)))
"""


def test_number_of_threads_and_of_calls_does_not_count(repository, capfd):
    with threadpool_limits(2):
        exec(THREADS_PROGRAM, {})
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    environment = os.environ | variables | {"PYTHONPATH": str(repository / "workflow" / "scripts")}
    alone = subprocess.run([sys.executable, "-W", "ignore", "-c", THREADS_PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert capfd.readouterr().out == alone.stdout


def test_searches_leave_the_global_generator_alone():
    np.random.seed(5)
    before = np.random.get_state()[1].tolist()
    search_weights(*drawn(1), "cma_es", evaluations=50)
    assert np.random.get_state()[1].tolist() == before


def test_published_weights():
    assert sum(PUBLISHED["paper_12"].values()) == pytest.approx(1)
    assert sum(PUBLISHED["paper_9"].values()) == pytest.approx(0.999)
    probabilities, truth, folds = drawn(1)
    weights = search_weights(probabilities, truth, folds, "paper_12", encoders=["gemini", "s4d", "hubert"])
    assert weights == pytest.approx([0.192 / 0.309, 0.117 / 0.309, 0])
    assert search_weights(probabilities, truth, folds, "paper_9", encoders=["hubert", "gemini", "prosody"]) == pytest.approx([1 / 3] * 3)
    with pytest.raises(ValueError, match=r"^paper_9 needs the names of the 3 encoders, not None$"):
        search_weights(probabilities, truth, folds, "paper_9")


def test_mean_of_logarithms_by_hand():
    fused = fuse([[[0.8, 0.2, 0, 0, 0, 0]], [[0.2, 0.8, 0, 0, 0, 0]]], [0.5, 0.5], "log_probabilities")
    assert fused[0] == pytest.approx([0.5, 0.5, 0, 0, 0, 0], abs=1e-9)
    uneven = fuse([[[0.9, 0.1, 0, 0, 0, 0]], [[0.5, 0.5, 0, 0, 0, 0]]], [0.5, 0.5], "log_probabilities")
    assert uneven[0, 0] == pytest.approx(0.75)  # sqrt(.9 * .5) to sqrt(.1 * .5) is 3 to 1
    with pytest.raises(ValueError, match=r"^average must be probabilities or log_probabilities, not 'median'$"):
        fuse([[[1, 0, 0, 0, 0, 0]]], [1.0], "median")


def test_temperature_finds_what_was_done_to_the_probabilities():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20000, 6))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    drawn_emotion = (rng.random((20000, 1)) > honest.cumsum(axis=1)[:, :-1]).sum(axis=1)
    truth = np.eye(6)[drawn_emotion] * 100
    overconfident = temper(honest[np.newaxis], [0.5])
    overconfident[0, :100] = np.nan
    found = search_temperatures(overconfident, truth)
    assert found[0] == pytest.approx(2, rel=0.05)
    assert temper(overconfident, found)[0, 100:] == pytest.approx(honest[100:], abs=0.03)
    assert search_temperatures(np.full((1, 5, 6), np.nan), truth[:5]).tolist() == [1]
