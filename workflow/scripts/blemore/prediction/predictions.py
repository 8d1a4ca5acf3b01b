"""What a system says about new clips, as a table and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blemore.data.labels import EMOTIONS
from blemore.fusion.predictions import columns
from blemore.fusion.protocols import Fusion
from blemore.fusion.thresholds import Thresholds

CONFIDENCE = "the share of the fused probability that is on the emotions of the decision; it is not the chance that the decision is right"
LEFT_OUT = "left_out"


class Outcome(NamedTuple):
    """n clips as the system sees them; a clip that no encoder has anything for has NaN and a decision of zeros."""

    fused: NDArray[np.float64]  # (n, 6)
    decision: NDArray[np.int8]  # percent (n, 6)
    confidence: NDArray[np.float64]  # (n,)
    used: list[list[str]]  # (n,) encoders that the fused probability is made of


def chosen_fusion(chosen: Mapping[str, Any]) -> Fusion:
    """The fusion that system.json describes."""
    temperatures = np.array(chosen["temperatures"]) if "temperatures" in chosen else None
    return Fusion(np.array(chosen["weights"]), Thresholds(chosen["alpha"], chosen["beta"], np.nan, np.nan, np.nan), temperatures, chosen["average"])


def fuse_members(probabilities: NDArray[np.float64], encoders: Sequence[str], fusion: Fusion) -> Outcome:
    """Fuses what there is for each clip, with weights renormalised to it.

    Args:
        probabilities: (m, n, 6); NaN where a member has nothing, and everywhere for one that is left out.
        encoders: (m,) the encoder of each member.
    """
    available = np.isfinite(probabilities).all(axis=2)
    weighted = available & (fusion.weights > 0)[:, np.newaxis]
    counted = np.where(weighted.any(axis=0), weighted, available)  # where all that there is has weight 0, it counts the same
    fused, decision = fusion.decide(probabilities)
    nothing = ~available.any(axis=0)
    fused[nothing], decision[nothing] = np.nan, 0
    confidence = np.where(nothing, np.nan, np.where(decision > 0, fused, 0).sum(axis=1))
    used = [list(dict.fromkeys(name for name, counts in zip(encoders, clip, strict=True) if counts)) for clip in counted.T]
    return Outcome(fused, decision, confidence, used)


def table(files: Mapping[str, str], outcome: Outcome, status: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """One row for each clip.

    Args:
        files: clip id -> file, in the order of the rows.
        status: encoder -> clip -> status.
    """
    said = [" ".join(f"{emotion} {percent}" for emotion, percent in _named(row).items()) for row in outcome.decision]
    first = {"file": list(files.values()), "clip": list(files), "decision": said, "confidence": outcome.confidence}
    statuses = {f"status_{encoder}": [of_clip[clip] for clip in files] for encoder, of_clip in status.items()}
    return pd.DataFrame(
        first | columns("probability", outcome.fused) | columns("percent", outcome.decision) | {"encoders_used": [len(one) for one in outcome.used]} | statuses
    )


def records(files: Mapping[str, str], outcome: Outcome, status: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """The same for JSON; null where there is nothing."""
    return [
        {
            "file": file,
            "clip": clip,
            "probability": dict(zip(EMOTIONS, outcome.fused[row].tolist())) if outcome.used[row] else None,
            "decision": _named(outcome.decision[row]) or None,
            "confidence": float(outcome.confidence[row]) if outcome.used[row] else None,
            "encoders_used": outcome.used[row],
            "status": {encoder: of_clip[clip] for encoder, of_clip in status.items()},
        }
        for row, (clip, file) in enumerate(files.items())
    ]


def _named(decision: NDArray[np.int8]) -> dict[str, int]:
    """Emotion -> percent, the dominant one first."""
    present = [(emotion, int(percent)) for emotion, percent in zip(EMOTIONS, decision) if percent]
    return dict(sorted(present, key=lambda one: -one[1]))
