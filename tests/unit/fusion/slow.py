"""The challenge's rules once more, clip by clip and with dictionaries: slow, obvious, and nothing shared with the package."""

import numpy as np

NAMES = ("ang", "disg", "fea", "hap", "sad", "neu")
GRID = [float(value) for value in np.linspace(0.05, 0.95, 20)]


def slow_top2(values):
    ranked = sorted(range(6), key=lambda index: (-values[index], index))
    return [values[index] if index in ranked[:2] else 0.0 for index in range(6)]


def slow_decode(values, alpha, beta):
    """One row -> {emotion: percent}, the text of the rule line by line."""
    v = slow_top2([float(value) for value in values])
    if max(v) < alpha:
        return {NAMES[v.index(max(v))]: 100}
    v = [0.0 if value < alpha else value for value in v]
    alive = [index for index in range(6) if v[index] > 0]
    if len(alive) == 1:
        return {NAMES[alive[0]]: 100}
    if NAMES.index("neu") in alive:
        other = next(index for index in alive if index != 5)
        return {NAMES[other] if v[other] >= v[5] else "neu": 100}
    i, j = alive
    if abs(v[i] - v[j]) <= beta:
        return {NAMES[i]: 50, NAMES[j]: 50}
    return {NAMES[i]: 70, NAMES[j]: 30} if v[i] > v[j] else {NAMES[i]: 30, NAMES[j]: 70}


def as_dict(percent):
    return {NAMES[index]: value for index, value in enumerate(percent) if value > 0}


def slow_scores(predicted, truth):
    """Lists of dictionaries -> ACC_P, ACC_S, Score."""
    present = sum(set(p) == set(g) for p, g in zip(predicted, truth, strict=True)) / len(truth)
    pairs = [(p, g) for p, g in zip(predicted, truth, strict=True) if len(g) == 2]
    salient = sum(len(p) == 2 and {e: round(s) for e, s in p.items()} == g for p, g in pairs) / len(pairs) if pairs else 0.0
    return present, salient, 0.5 * present + 0.5 * salient


def slow_grid(probabilities, truth):
    """(20, 20, 3): ACC_P, ACC_S, Score by decoding every clip at every point."""
    wanted = [as_dict(row) for row in np.asarray(truth).tolist()]
    rows = np.asarray(probabilities, dtype=np.float64).tolist()
    return np.array([[slow_scores([slow_decode(row, alpha, beta) for row in rows], wanted) for beta in GRID] for alpha in GRID])


def slow_optimum(probabilities, truth):
    """The best Score over every threshold that can matter: each value, and one beyond either end."""
    wanted = [as_dict(row) for row in np.asarray(truth).tolist()]
    rows = np.asarray(probabilities, dtype=np.float64).tolist()
    largest = [sorted(row)[-2:] for row in rows]
    alphas = sorted({second for second, _ in largest if second > 0} | {max(second for second, _ in largest) + 1})
    betas = sorted({first - second for second, first in largest} | {-1.0})
    return max(slow_scores([slow_decode(row, alpha, beta) for row in rows], wanted)[2] for alpha in alphas for beta in betas)
