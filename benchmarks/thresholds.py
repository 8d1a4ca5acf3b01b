"""The threshold search against decoding at each of the 400 grid points with numpy, all clips at once: python benchmarks/thresholds.py"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from blemore.fusion.metrics import presence_accuracy, salience_accuracy
from blemore.fusion.postprocess import decode
from blemore.fusion.thresholds import GRID, grid_scores

CLIPS, REPEATS = 500, 5


def every_point(probabilities: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ACC_P and ACC_S at each grid point, (20, 20), by decoding."""
    decided = [[decode(probabilities, alpha, beta) for beta in GRID] for alpha in GRID]
    return tuple(np.array([[measure(one, truth) for one in row] for row in decided]) for measure in (presence_accuracy, salience_accuracy))


def seconds(call: Callable[[], object]) -> float:
    """The fastest of some calls."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Prints both times and their ratio, after making sure that all 400 values are equal."""
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.full(6, 0.5), CLIPS)
    truth = decode(generator.dirichlet(np.full(6, 0.5), CLIPS), 0.1, 0.2)
    found, expected = grid_scores(probabilities, truth), every_point(probabilities, truth)
    np.testing.assert_allclose(found.presence, expected[0])
    np.testing.assert_allclose(found.salience, expected[1])
    fast, slow = seconds(lambda: grid_scores(probabilities, truth)), seconds(lambda: every_point(probabilities, truth))
    print(f"{CLIPS} clips, 400 grid points: {fast * 1e3:.2f} ms against {slow * 1e3:.0f} ms of decoding at each point, {slow / fast:.0f}x, all values equal")


if __name__ == "__main__":
    main()
