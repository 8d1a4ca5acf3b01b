"""What the demo data set holds: its clips, and the nine physical parameters through which alone a label acts on them."""

from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FPS = 25
SEEN = ("mouth_curve", "mouth_open", "brow_height", "shoulder_height", "hand_height", "hands_apart")
HEARD = ("pitch", "loudness", "burst_rate")
PARAMETERS = SEEN + HEARD
# The only place where an emotion becomes something that can be seen or heard; neutral is the actor at rest.
EFFECTS = {
    "ang": (-0.6, 0.6, -1.0, 0.5, -0.3, 1.0, -0.3, 1.0, 0.8),
    "disg": (-1.0, -0.6, -0.3, -0.6, 0.8, -0.8, -1.0, 0.2, -0.6),
    "fea": (-0.3, 0.9, 1.0, 1.0, 0.5, -0.8, 1.0, -0.4, 1.0),
    "hap": (1.0, 0.4, 0.2, -0.4, 1.0, 0.9, 0.8, 0.8, -0.3),
    "sad": (-0.4, -1.0, 0.7, -1.0, -1.0, -0.4, 0.1, -1.0, -1.0),
    "neu": (0.0,) * len(PARAMETERS),
}
EMOTIONS = tuple(EFFECTS)
PAIRS = tuple(combinations(EMOTIONS[:-1], 2))
# Shares of single emotions and of 50/50 blends in the training set (arXiv:2603.23650, section on the data); the rest is 70/30.
SINGLE_SHARE, EVEN_SHARE = 0.46, 0.18
GAIN_STD, OFFSET_STD, NOISE_STD = 0.12, 0.08, 0.08
LARGEST_PARAMETER = 1.75
# First words of the seeds, so that streams of actors, clips and permutations never meet.
ACTOR, CLIP, ORDER, SHUFFLE = range(4)


@dataclass(frozen=True)
class Design:
    """Size and kind of a demo data set; equal designs give equal bytes."""

    seed: int = 1
    actors: int = 8
    test_actors: int = 2
    folds: int = 4
    clips_per_actor: int = 22
    duration_s: tuple[float, float] = (1.6, 2.4)
    width: int = 256
    height: int = 256
    shuffle_labels: bool = False


PRESETS = {
    "default": Design(),
    "mini": Design(actors=3, test_actors=1, folds=2, clips_per_actor=3, duration_s=(1.0, 1.0), width=192, height=160),
}


class Label(NamedTuple):
    """One emotion, or two in class order; salience in percent of the first."""

    emotion_1: str
    emotion_2: str = ""
    salience_1: int = 100


class Clip(NamedTuple):
    """One clip: what the sheet says of it, and what its actor is told to show (the same, unless labels are shuffled)."""

    name: str
    actor: int
    take: int  # of this actor
    label: Label
    shown: Label
    test: bool


def effect(label: Label) -> NDArray[np.float64]:
    """(9,) values of PARAMETERS: the mixture of both emotions, weighted by salience."""
    first, second = np.array(EFFECTS[label.emotion_1]), np.array(EFFECTS[label.emotion_2 or "neu"])
    share = label.salience_1 / 100
    return share * first + (1 - share) * second


def draw_clips(design: Design) -> list[Clip]:
    """All clips, train before test; test clips are named in an order that tells nothing of actor or label."""
    takes = [(actor, take, label) for actor in range(design.actors + design.test_actors) for take, label in enumerate(labels_of(actor, design.clips_per_actor))]
    n_train = design.actors * design.clips_per_actor
    train = [Clip(train_name(actor, label, _repeats(takes, actor, take)), actor, take, label, label, False) for actor, take, label in takes[:n_train]]
    numbers = np.random.default_rng([design.seed, ORDER]).permutation(len(takes) - n_train) + 1
    test = [Clip(f"test_{number:04d}", actor, take, label, label, True) for number, (actor, take, label) in zip(numbers, takes[n_train:])]
    return (_shuffled(train, design.seed) if design.shuffle_labels else train) + test


def labels_of(actor: int, n_clips: int) -> list[Label]:
    """Labels of one actor: shares as in the data set; actor after actor goes on where the last one stopped, so that all classes get their turn."""
    n_single, n_even = round(SINGLE_SHARE * n_clips), round(EVEN_SHARE * n_clips)
    n_uneven = n_clips - n_single - n_even
    uneven = [Label(*pair, 70 if (place + turn) % 2 else 30) for turn in range(2) for place, pair in enumerate(PAIRS)]
    singles = [Label(EMOTIONS[(actor * n_single + i) % len(EMOTIONS)]) for i in range(n_single)]
    evens = [Label(*PAIRS[(actor * n_even + i) % len(PAIRS)], 50) for i in range(n_even)]
    return singles + evens + [uneven[(actor * n_uneven + i) % len(uneven)] for i in range(n_uneven)]


def _repeats(takes: list[tuple[int, int, Label]], actor: int, take: int) -> int:
    label = next(shown for who, when, shown in takes if (who, when) == (actor, take))
    return sum(who == actor and shown == label and when < take for who, when, shown in takes)


def _shuffled(clips: list[Clip], seed: int) -> list[Clip]:
    order = np.random.default_rng([seed, SHUFFLE]).permutation(len(clips))
    return [clip._replace(shown=clips[other].label) for clip, other in zip(clips, order)]


def actor_id(actor: int) -> str:
    """`A101`, `A102`, … as in the data set."""
    return f"A{101 + actor}"


def train_name(actor: int, label: Label, repeats: int) -> str:
    """The official name of a clip, of which the actor has shown the same label `repeats` times before."""
    if label.emotion_2:
        return f"{actor_id(actor)}_mix_{label.emotion_1}_{label.emotion_2}_{label.salience_1}_{100 - label.salience_1}_ver{repeats + 1}"
    kind = "sit" if label.emotion_1 == "neu" else "int"
    return f"{actor_id(actor)}_{label.emotion_1}_{kind}{repeats % 4 + 1}_ver{repeats // 4 + 1}"


def sheet_row(clip: Clip, folds: int) -> dict[str, str | int]:
    """The row of `train_metadata.csv`, official columns in their order."""
    first, second, salience = clip.label
    words = {word[:3]: word for word in clip.name.split("_")}
    return {
        "filename": clip.name,
        "video_id": actor_id(clip.actor),
        "gender": gender(clip.actor),
        "mix": int(bool(second)),
        "emotion_1": first,
        "version": words["ver"],
        "intensity_level": words.get("int", ""),
        "situation": words.get("sit", ""),
        "emotion_2": second,
        "emotion_1_salience": salience if second else "",
        "emotion_2_salience": 100 - salience if second else "",
        "fold": clip.actor % folds,
    }


def gender(actor: int) -> str:
    return "fm"[actor % 2]


def generator(seed: int, *stream: int) -> np.random.Generator:
    """Random numbers of one actor (ACTOR, actor) or clip (CLIP, actor, take): none depends on a label, an order or another clip."""
    return np.random.default_rng([seed, *stream])


def perform(clip: Clip, seed: int, n_frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n_frames, 9) course of PARAMETERS: the actor's rest, then onset, apex and offset of what is shown.

    The actor's gain multiplies the label's effect, noise of the clip is added to it, and the actor's offset is there all the time.
    """
    actor = generator(seed, ACTOR, clip.actor)
    gain = np.clip(actor.normal(1, GAIN_STD, len(PARAMETERS)), 0.4, 1.6)
    offset = actor.normal(0, OFFSET_STD, len(PARAMETERS))
    apex = gain * effect(clip.shown) + rng.normal(0, NOISE_STD, len(PARAMETERS))
    onset, release = rng.uniform(0.15, 0.3), rng.uniform(0.8, 0.95)
    course = np.interp(np.arange(n_frames) / n_frames, [0, onset, release, 1], [0, 1, 1, 0.3])
    return np.clip(offset + course[:, np.newaxis] * apex, -LARGEST_PARAMETER, LARGEST_PARAMETER)
