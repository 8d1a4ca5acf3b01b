"""Threshold search, weight search and the whole of an ensemble's fusion against their peers, in one run: python benchmarks/fusion.py"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from unit.fusion.slow import slow_grid

from blemore.fusion.metrics import presence_accuracy, salience_accuracy, score
from blemore.fusion.postprocess import decode
from blemore.fusion.protocols import OutOfFold, certainty, evaluate_all
from blemore.fusion.simulator import Population, simulate
from blemore.fusion.thresholds import GRID, grid_scores, search_exact, search_grid
from blemore.fusion.weights import fuse, search_weights

CLIPS, REPEATS, TRIALS, SEEDS = 500, 20, 500, 2
SETTINGS = {"weights": {"method": "greedy"}, "thresholds": {"choice": "first"}}


def every_point(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ACC_P and ACC_S at each grid point, (20, 20), by decoding all clips at once with numpy."""
    decided = [[decode(probabilities, alpha, beta) for beta in GRID] for alpha in GRID]
    return tuple(np.array([[measure(one, truth) for one in row] for row in decided]) for measure in (presence_accuracy, salience_accuracy))


def seconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """The fastest of some calls."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def thresholds() -> None:
    """Both searches against decoding clip by clip, and against decoding with numpy, at each of the 400 points; all values equal."""
    data = simulate(Population(), 0)
    probabilities, truth = data.probabilities[-1, :CLIPS], data.truth[:CLIPS]
    found, clip_by_clip, vectorised = grid_scores(probabilities, truth), slow_grid(probabilities, truth), every_point(probabilities, truth)
    for values, slow, numpy in zip(found, np.moveaxis(clip_by_clip, 2, 0), vectorised):
        assert np.array_equal(values, slow)
        assert np.array_equal(values, numpy)
    direct, numpy_s = seconds(lambda: slow_grid(probabilities, truth), 3), seconds(lambda: every_point(probabilities, truth), 3)
    print(f"{CLIPS} clips, 400 grid points, all values equal: clip by clip {direct:.2f} s, numpy {numpy_s * 1e3:.0f} ms")
    for search in (search_grid, search_exact):
        fast = seconds(lambda search=search: search(probabilities, truth))
        print(f"  {search.__name__:<12} {fast * 1e3:.2f} ms: {direct / fast:,.0f}x clip by clip, {numpy_s / fast:,.0f}x numpy")


def optuna_weights(data: OutOfFold, seed: int) -> np.ndarray:
    """500 trials of Optuna's default sampler over softmax weights, on what our searches maximise, at our speed of a threshold search."""

    def objective(trial: optuna.Trial) -> float:
        weights = np.exp([trial.suggest_float(f"w{member}", -4, 4) for member in range(len(data.probabilities))])
        surfaces = [grid_scores(fuse(data.probabilities[:, data.fold == one], weights), data.truth[data.fold == one]) for one in np.unique(data.fold)]
        return float(np.mean([0.5 * surface.presence + 0.5 * surface.salience for surface in surfaces], axis=0).max())

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(objective, n_trials=TRIALS)
    weights = np.exp([study.best_params[f"w{member}"] for member in range(len(data.probabilities))])
    return weights / weights.sum()


def nested_score(data: OutOfFold, choose: Callable[[OutOfFold], np.ndarray]) -> float:
    """The mean Score over folds of weights, and thresholds, that were chosen on the others."""
    scores = []
    for fold in np.unique(data.fold):
        rest, here = data.of(data.fold != fold), data.of(data.fold == fold)
        weights = choose(rest)
        found = search_grid(fuse(rest.probabilities, weights), rest.truth)
        scores.append(score(decode(fuse(here.probabilities, weights), found.alpha, found.beta), here.truth))
    return float(np.mean(scores))


def greedy_weights(data: OutOfFold) -> np.ndarray:
    """The default."""
    return search_weights(data.probabilities, data.truth, data.fold, "greedy", actors=data.actor.tolist())


def ensemble() -> None:
    """All protocols of the largest ensemble, with the resamples."""
    data = simulate(Population(), 0)
    search_weights(data.probabilities[:2], data.truth, data.fold, "greedy", picks=1, bags=1)  # compiles
    started = time.perf_counter()
    evaluations, _ = evaluate_all(data, SETTINGS, epochs_on_scored_fold=False)
    certainty(evaluations, data, resamples=1000, seed=1)
    took = time.perf_counter() - started
    print(f"{len(data.probabilities)} encoders, {len(data.truth)} clips, five protocols, 1,000 resamples of actors: {took:.1f} s on one core")


def against_optuna() -> None:
    """Nested Scores and seconds of both."""
    ours, theirs, times = [], [], [0.0, 0.0]
    for seed in range(SEEDS):
        data = simulate(Population(), seed)
        for index, (found, choose) in enumerate(((ours, greedy_weights), (theirs, lambda rest, seed=seed: optuna_weights(rest, seed)))):
            started = time.perf_counter()
            found.append(nested_score(data, choose))
            times[index] += time.perf_counter() - started
    print(
        f"nested Score, mean of {SEEDS} simulated sets: greedy {np.mean(ours):.4f} in {times[0] / SEEDS:.1f} s each, "
        f"Optuna with {TRIALS} trials {np.mean(theirs):.4f} in {times[1] / SEEDS:.1f} s"
    )


if __name__ == "__main__":
    thresholds()
    ensemble()
    against_optuna()
