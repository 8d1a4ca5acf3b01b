"""Reads every finished store again, with heads, checkpoints and weights, and names those that do not hold what was written."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from blemore.inspection.damage import checks, damage

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    found = list(checks(Path("results"), snakemake.params.config))
    problems = [problem for path, check in found if (problem := damage(path, check))]
    lines = [*problems, f"{len(found) - len(problems)} of {len(found)} stores, scores, heads, checkpoints and weights are whole."]
    Path(snakemake.log[0]).write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    sys.exit(1 if problems else 0)


# Not through job.run: that would send the lines to the log alone.
if __name__ == "__main__":
    main(snakemake)
