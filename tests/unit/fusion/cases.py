"""Probabilities and labels for the tests of the searches: random ones, and ones made to be degenerate."""

import numpy as np
from hypothesis import strategies as st

GRID = np.linspace(0.05, 0.95, 20)
PAIRS = [(a, b) for a in range(5) for b in range(a + 1, 5)]


def label_row(kind, ratio):
    """Kinds 0 to 5 are single emotions, 6 to 15 pairs; ratio 0: 50/50, 1: 70/30, 2: 30/70."""
    row = [0] * 6
    if kind < 6:
        row[kind] = 100
    else:
        row[PAIRS[kind - 6][0]], row[PAIRS[kind - 6][1]] = ((50, 50), (70, 30), (30, 70))[ratio]
    return row


def random_truth(rng, clips, blends=0.54):
    kinds = np.where(rng.random(clips) < blends, rng.integers(6, 16, clips), rng.integers(0, 6, clips))
    return np.array([label_row(kind, ratio) for kind, ratio in zip(kinds, rng.integers(0, 3, clips))], dtype=np.int8).reshape(-1, 6)


def random_probabilities(rng, truth, skill=1.0):
    """Softmax of noise, drawn towards the labels."""
    logits = rng.normal(size=truth.shape) + skill * np.sqrt(truth / 25)
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def degenerate(rng, clips):
    """Rows of few values: ties, zeros, points exactly on the grid and next to it, values of float32."""
    kind = rng.integers(7)
    if kind == 0:
        return rng.choice([0.0, 0.1, 0.25, 0.5, 1.0], (clips, 6))
    if kind == 1:
        return rng.choice(GRID, (clips, 6))
    if kind == 2:
        return np.full((clips, 6), 1 / 6)
    if kind == 3:
        return np.nextafter(rng.choice(GRID, (clips, 6)), rng.choice([0.0, 1.0], (clips, 6)))
    if kind == 4:
        return rng.choice(GRID, (clips, 6)).astype(np.float32)
    if kind == 5:  # twice a grid value and the value: their difference is the value to the last bit
        return rng.choice(GRID, (clips, 1)) * rng.permuted(np.tile([2, 1, 0, 0, 0, 0], (clips, 1)), axis=1)
    return rng.choice([0.0, 1e-300, 5e-324, 0.05], (clips, 6))


values = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.05, 0.1, 0.25, 1 / 6, 0.5, 1.0, *GRID.tolist()]))
probability_row = st.lists(values, min_size=6, max_size=6)
truth_row = st.builds(label_row, st.integers(0, 15), st.integers(0, 2))
labelled_clips = st.lists(st.tuples(probability_row, truth_row), min_size=1, max_size=12).map(
    lambda rows: (np.array([row for row, _ in rows]), np.array([truth for _, truth in rows], dtype=np.int8))
)
