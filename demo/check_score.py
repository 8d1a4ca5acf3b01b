"""Says whether a demo score is believable: python demo/check_score.py demo/run/results/fusion/all/scores.json"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TOO_GOOD = 0.9
TIMES_TRIVIAL = 2


def problem(scores: Mapping[str, Any]) -> str:
    """What is wrong with the nested Score of an ensemble on the demo data; empty if nothing is.

    Above .9 the label must have leaked; below twice the best trivial Score nothing was learned.
    """
    nested = scores["protocols"]["nested"]["mean"]["Score"]
    trivial = max(baseline["Score"] for baseline in scores["baselines"].values())
    if nested > TOO_GOOD:
        return f"a nested Score of {nested:.3f} is too good for the demo data: something gives the label away"
    if nested < TIMES_TRIVIAL * trivial:
        return f"a nested Score of {nested:.3f} is not {TIMES_TRIVIAL} times the trivial {trivial:.3f}: nothing was learned"
    return ""


if __name__ == "__main__":
    sys.exit(problem(json.loads(Path(sys.argv[1]).read_text())) or 0)
