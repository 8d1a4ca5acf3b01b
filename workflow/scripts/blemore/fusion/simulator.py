"""Out-of-fold probabilities of encoders that do not exist, on a data set of the challenge's size, where the truth is known.

What an encoder says of a clip is the softmax of: its strength along the clip's label, noise that all encoders share (hard clips),
noise of its own, and the actor's personal style, which is a preference for some emotions and a scale of all of it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blemore.data.emotions import EMOTIONS, PAIRS
from blemore.fusion.metrics import score
from blemore.fusion.postprocess import decode
from blemore.fusion.protocols import OutOfFold
from blemore.fusion.thresholds import search_grid
from blemore.fusion.weights import fuse

FOLD_CLIPS = (522, 486, 468, 472, 508)  # of the challenge: 2,456 training clips
FOLD_BLENDS = (280, 270, 240, 240, 296)
FOLD_ACTORS = (9, 9, 8, 8, 9)  # 43; how they are spread over the folds is not published
BLEND_SHARE, EVEN_SHARE = 0.54, 1 / 3  # blends of the clips, 50/50 of the blends
ENCODERS = 12


class Population(NamedTuple):
    """Encoders and actors to draw clips from."""

    strengths: tuple[float, ...] = tuple(np.linspace(0.6, 1.1, ENCODERS).tolist())  # of the label against noise of 1, one per encoder
    correlation: float = 0.5  # share of the noise's variance that all encoders have in common
    style: float = 0.3  # standard deviation of an actor's preferences, and of the logarithm of the actor's scale; 0: all alike
    blend_share: float | None = None  # of the clips; None: as many as each fold of the challenge has, and of unseen actors as many as all
    even_share: float = EVEN_SHARE  # 50/50 of the blends


def simulate(population: Population, seed: int) -> OutOfFold:
    """The training clips: 43 actors in five folds with the official counts of clips and, by default, of blends; probabilities (m, 2456, 6)."""
    rng = np.random.default_rng([seed, 0])
    actor = np.concatenate([np.sort(np.arange(clips) % actors) + sum(FOLD_ACTORS[:fold]) for fold, (clips, actors) in enumerate(zip(FOLD_CLIPS, FOLD_ACTORS))])
    share = population.blend_share
    blends = FOLD_BLENDS if share is None else [round(clips * share) for clips in FOLD_CLIPS]
    truth = np.concatenate([draw_truth(rng, *counts, population.even_share) for counts in zip(FOLD_CLIPS, blends, strict=True)])
    return _clips(population, rng, truth, actor, np.repeat(np.arange(len(FOLD_CLIPS)), FOLD_CLIPS))


def simulate_unseen(population: Population, seed: int, actors: int, clips_per_actor: int) -> OutOfFold:
    """Clips of other actors of the same population, all in fold 0."""
    rng = np.random.default_rng([seed, 1])
    clips = actors * clips_per_actor
    share = BLEND_SHARE if population.blend_share is None else population.blend_share
    truth = draw_truth(rng, clips, round(clips * share), population.even_share)
    return _clips(population, rng, truth, np.repeat(np.arange(actors), clips_per_actor), np.zeros(clips, dtype=np.int64))


def simulate_like(population: Population, rng: np.random.Generator, truth: NDArray[np.int8], actor: NDArray) -> NDArray[np.float64]:
    """Probabilities (m, n, 6) for the labels and actors of a real sheet."""
    return _probabilities(population, rng, truth, np.unique(actor, return_inverse=True)[1])


def draw_truth(rng: np.random.Generator, clips: int, blends: int, even_share: float = EVEN_SHARE) -> NDArray[np.int8]:
    """Labels in percent (n, 6) in random order: as many blends, a share of them 50/50; emotions, pairs and directions equally likely."""
    percent = np.zeros((clips, len(EMOTIONS)), dtype=np.int8)
    percent[np.arange(blends, clips), rng.integers(len(EMOTIONS), size=clips - blends)] = 100
    pairs = rng.permuted(np.array(PAIRS)[rng.integers(len(PAIRS), size=blends)], axis=1)
    even = rng.permutation(blends) < round(blends * even_share)
    percent[np.arange(blends), pairs[:, 0]] = np.where(even, 50, 70)
    percent[np.arange(blends), pairs[:, 1]] = np.where(even, 50, 30)
    return rng.permutation(percent)


def _clips(population: Population, rng: np.random.Generator, truth: NDArray[np.int8], actor: NDArray, fold: NDArray) -> OutOfFold:
    return OutOfFold(_probabilities(population, rng, truth, actor), truth, fold, np.char.add("A", actor.astype(str)))


def _probabilities(population: Population, rng: np.random.Generator, truth: NDArray[np.int8], actor: NDArray) -> NDArray[np.float64]:
    actors, shape = actor.max() + 1, truth.shape
    preference = population.style * rng.standard_normal((actors, len(EMOTIONS)))
    scale = np.exp(population.style * rng.standard_normal(actors))[actor, np.newaxis]
    shared = np.sqrt(population.correlation) * rng.standard_normal(shape)
    signal = np.sqrt(truth / 25)  # an amplitude: the weaker emotion of a blend is two thirds of the stronger one
    probabilities = np.empty((len(population.strengths), *shape))
    for member, strength in enumerate(population.strengths):
        own = np.sqrt(1 - population.correlation) * rng.standard_normal(shape)
        logits = scale * (strength * signal + preference[actor] + shared + own)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities[member] = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def simulated_differences(population: Population, fewer: int, clips: int, actors: int, sets: int, seed: int) -> NDArray[np.float64]:
    """Score of all encoders less that of the `fewer` first ones, fused with equal weights, on each of some simulated test sets; (sets,).

    Thresholds come from one simulated training set, so all that varies is who and what is in the test set.
    """
    train = simulate(population, seed)
    systems = []
    for members in (len(population.strengths), fewer):
        weights = (np.arange(len(population.strengths)) < members) / members
        systems.append((weights, search_grid(fuse(train.probabilities, weights), train.truth)))
    per_actor = -(-clips // actors)
    differences = []
    for number in range(sets):
        test = simulate_unseen(population, seed + 1 + number, actors, per_actor)
        test = test.of(np.random.default_rng([seed, number]).permutation(len(test.truth)) < clips)
        scores = [score(decode(fuse(test.probabilities, weights), found.alpha, found.beta), test.truth) for weights, found in systems]
        differences.append(scores[0] - scores[1])
    return np.array(differences)
