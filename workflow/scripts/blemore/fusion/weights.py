"""Late fusion: a weighted mean of the encoders' probabilities, and the search for its weights."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from blemore.data.labels import EMOTIONS
from blemore.fusion import search
from blemore.fusion.published_weights import PUBLISHED

Method = Literal["greedy", "uniform", "simplex", "coordinate", "cma_es", "paper_9", "paper_12"]
Average = Literal["probabilities", "log_probabilities"]
SMALLEST = 1e-12  # below it a probability's logarithm would outvote all other encoders
TEMPERATURES = (0.05, 20.0)


class Stack(NamedTuple):
    """What m encoders say about n clips, ready to be averaged."""

    known: NDArray[np.float64]  # (m, n, 6) probabilities or their logarithms; 0 where an encoder has nothing
    available: NDArray[np.bool_]  # (m, n)
    fallback: NDArray[np.float64]  # (n, 6): the plain mean of what is available, that of equal probabilities where nothing is

    def of(self, clips: NDArray) -> "Stack":
        """The chosen clips."""
        return Stack(np.ascontiguousarray(self.known[:, clips]), np.ascontiguousarray(self.available[:, clips]), self.fallback[clips])


def stack(probabilities: ArrayLike, average: Average = "probabilities") -> Stack:
    """(m, n, 6) as a `Stack`; an encoder has nothing for a clip whose row is not finite."""
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 3 or p.shape[2] != len(EMOTIONS) or not len(p):
        raise ValueError(f"probabilities must be (m, n, {len(EMOTIONS)}) with m > 0, not {p.shape}")
    if average not in get_args(Average):
        raise ValueError(f"average must be {' or '.join(get_args(Average))}, not {average!r}")
    available = np.asarray(np.isfinite(p).all(axis=2))
    known = np.where(available[..., np.newaxis], p, 0)
    guess = 1 / len(EMOTIONS)
    if average == "log_probabilities":
        known = np.log(np.maximum(known, SMALLEST), where=available[..., np.newaxis], out=np.zeros_like(known))
        guess = float(np.log(guess))
    count = available.sum(axis=0)[:, np.newaxis]
    return Stack(known, available, np.where(count > 0, known.sum(axis=0) / np.maximum(count, 1), guess))


def fuse(probabilities: ArrayLike, weights: ArrayLike, average: Average = "probabilities") -> NDArray[np.float64]:
    """The weighted mean over the encoders, clip by clip renormalised to those that have a finite row.

    Where all available encoders have weight 0 they count the same. A clip that no encoder has gets 1/6 for every emotion:
    it stays in every denominator, and its decision is a guess like that of any undecided clip.

    Args:
        probabilities: (m, n, 6); NaN rows where an encoder has nothing.
        weights: (m,), not negative.
        average: of the probabilities, as the paper (section III-F), or of their logarithms, made probabilities again by a
            softmax: the product of experts of Hinton (1999, ICANN).

    Returns:
        (n, 6) float64, finite.
    """
    stacked, weight = stack(probabilities, average), np.asarray(weights, dtype=np.float64)
    if weight.shape != stacked.available.shape[:1] or not (weight >= 0).all():
        raise ValueError(f"{len(stacked.available)} encoders need as many weights that are not negative, not {weight.tolist()}")
    # Plain sums, one encoder after the other: a matrix product's bits depend on the number of threads.
    sums = (stacked.known * weight[:, np.newaxis, np.newaxis]).sum(axis=0)
    total = (stacked.available * weight[:, np.newaxis]).sum(axis=0)[:, np.newaxis]
    mean = np.where(total > 0, sums / np.where(total > 0, total, 1), stacked.fallback)
    return mean if average == "probabilities" else _softmax(mean)


def temper(probabilities: ArrayLike, temperatures: ArrayLike) -> NDArray[np.float64]:
    """Each encoder's probabilities at its temperature, softmax(log p / T) (Guo et al. 2017, ICML); (m, n, 6) -> (m, n, 6), NaN rows stay."""
    logs = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), SMALLEST))
    return _softmax(logs / np.asarray(temperatures, dtype=np.float64)[:, np.newaxis, np.newaxis])


def search_temperatures(probabilities: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """For each encoder the temperature with the smallest cross-entropy to the soft labels, between 1/20 and 20.

    Args:
        probabilities: (m, n, 6); NaN rows where an encoder has nothing, and 1 for an encoder that has nothing at all.
        truth: percent (n, 6).
    """
    p, target = np.asarray(probabilities, dtype=np.float64), np.asarray(truth) / 100
    return np.array([_temperature(encoder[known], target[known]) for encoder, known in zip(p, np.asarray(np.isfinite(p).all(axis=2)), strict=True)])


def _temperature(p: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    def cross_entropy(log_temperature: float) -> float:
        tempered = temper(p[np.newaxis], [np.exp(log_temperature)])[0]
        return -float((target * np.log(np.maximum(tempered, SMALLEST))).sum())

    return float(np.exp(optimize.minimize_scalar(cross_entropy, bounds=np.log(TEMPERATURES), method="bounded").x)) if len(p) else 1.0


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def search_weights(
    probabilities: ArrayLike,
    truth: ArrayLike,
    folds: ArrayLike,
    method: Method,
    *,
    actors: Sequence[str] | None = None,
    encoders: Sequence[str] | None = None,
    picks: int = 50,
    bags: int = 20,
    step: float = 0.1,
    max_hours: float = 1.0,
    evaluations: int = 2000,
    seed: int = 1,
    average: Average = "probabilities",
) -> NDArray[np.float64]:
    """Weights of the encoders.

    What the searches maximise is the best Score on the official grid, with one pair of thresholds for all clips and ACC_P and
    ACC_S averaged over `folds`, so that each fold counts the same. Of equally good weights the first found are taken.
    `greedy` see `search.greedy_bagged` · `simplex` all weights that are multiples of `step`, the paper's constrained grid ·
    `coordinate` see `search.coordinate` · `cma_es` see `search.cma_es` · `uniform` · `paper_9`, `paper_12` the columns of the
    paper's Table III, where an encoder that is not in the column has weight 0, and without any that is all are equal.

    Args:
        probabilities: (m, n, 6); NaN rows where an encoder has nothing.
        truth: percent (n, 6).
        folds: (n,) any labels of the folds; all equal to pool the clips.
        actors: (n,) whom each clip shows; None: every clip stands for itself.
        encoders: (m,) names, which the published weights need.
        picks, bags: of the greedy selection.
        step, max_hours: of the simplex; a search that would take longer is refused.
        evaluations: of CMA-ES.
        seed: of the greedy selection's bags and of CMA-ES.
        average: as in `fuse`.

    Returns:
        (m,), not negative, sum 1; the same for the same arguments, whatever the number of threads.

    Raises:
        BadInput: if the simplex would take longer than `max_hours`.
        ValueError: for arguments that do not fit together.
    """
    stacked, percent, fold = stack(probabilities, average), np.asarray(truth), np.asarray(folds)
    members, clips = stacked.available.shape
    if percent.shape != (clips, len(EMOTIONS)) or fold.shape != (clips,) or (actors is not None and len(actors) != clips) or not clips:
        raise ValueError(f"probabilities {(members, clips)}, truth {percent.shape}, folds {fold.shape} and actors must be of the same clips, at least one")
    _check_method(method, picks, bags, evaluations)
    if method in PUBLISHED:
        return _published(method, encoders, members)
    if method == "uniform" or members == 1:
        return np.full(members, 1 / members)
    actor = np.unique(np.arange(clips) if actors is None else np.asarray(actors), return_inverse=True)[1]
    data = search.Data(stacked, percent, fold, average == "log_probabilities")
    if method == "greedy":
        return search.greedy_bagged(data, actor, picks, bags, seed)
    objective = search.Objective(data, np.ones(clips, dtype=np.int64))
    if method == "simplex":
        return search.simplex(objective, step, max_hours)
    return search.coordinate(objective) if method == "coordinate" else search.cma_es(objective, evaluations, seed)


def _check_method(method: str, picks: int, bags: int, evaluations: int) -> None:
    if method not in get_args(Method) or min(picks, bags, evaluations) < 1:
        raise ValueError(
            f"method must be {', '.join(get_args(Method)[:-1])} or {get_args(Method)[-1]}, not {method!r}, "
            f"with picks, bags and evaluations of 1 or more, not {picks}, {bags} and {evaluations}"
        )


def _published(column: str, encoders: Sequence[str] | None, members: int) -> NDArray[np.float64]:
    if encoders is None or len(encoders) != members:
        raise ValueError(f"{column} needs the names of the {members} encoders, not {encoders}")
    weights = np.array([PUBLISHED[column].get(name, 0) for name in encoders])
    return weights / weights.sum() if weights.any() else np.full(members, 1 / members)
