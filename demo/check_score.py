"""Says whether the demo's scores are believable: python demo/check_score.py demo/run/results/fusion"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TOO_GOOD = 0.9
# How many times the best trivial Score an ensemble must reach; fine-tuned encoders stand alone.
TIMES_TRIVIAL = {"all": 2, "s4d": 1, "videomae": 1, "timesformer": 1, "wav2vec2_finetuned": 1}


def problem(scores: Mapping[str, Any], ensemble: str = "all") -> str:
    """What is wrong with the nested Score of an ensemble on the demo data; empty if nothing is.

    Above .9 the label must have leaked; at so many times the best trivial Score or below nothing was learned.
    """
    nested = scores["protocols"]["nested"]["mean"]["Score"]
    trivial = max(baseline["Score"] for baseline in scores["baselines"].values())
    if nested > TOO_GOOD:
        return f"a nested Score of {nested:.3f} of {ensemble} is too good for the demo data: something gives the label away"
    if nested <= TIMES_TRIVIAL[ensemble] * trivial:
        return f"a nested Score of {nested:.3f} of {ensemble} is not above {TIMES_TRIVIAL[ensemble]} times the trivial {trivial:.3f}: nothing was learned"
    return ""


def problems(fusion: Path) -> list[str]:
    """What is wrong with each ensemble in a run's `results/fusion`."""
    return [said for name in TIMES_TRIVIAL if (said := problem(json.loads((fusion / name / "scores.json").read_text()), name))]


if __name__ == "__main__":
    sys.exit("\n".join(problems(Path(sys.argv[1]))) or 0)
