"""What a difference between two systems' Scores on one test set means: python workflow/scripts/difference.py 0.017 --clips 594 --actors 15"""

import argparse

import numpy as np

from blemore.fusion.simulator import ENCODERS, Population, simulated_differences


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="How often two simulated ensembles differ on a test set by this much more or less than they do on average.")
    parser.add_argument("difference", type=float, help="of two Scores, as 0.017")
    parser.add_argument("--clips", type=int, default=594, help="of the test set (default: %(default)s)")
    parser.add_argument("--actors", type=int, default=15, help="of the test set (default: %(default)s)")
    parser.add_argument(
        "--fewer", type=int, default=9, choices=range(1, ENCODERS), help=f"encoders of the smaller of both, of {ENCODERS} (default: %(default)s)"
    )
    encoders = Population()
    parser.add_argument(
        "--strength", type=float, default=np.mean(encoders.strengths).item(), help="of each encoder's label against its noise (default: %(default).2f)"
    )
    parser.add_argument(
        "--correlation", type=float, default=encoders.correlation, help="share of the noise that all encoders have in common (default: %(default)s)"
    )
    parser.add_argument("--style", type=float, default=encoders.style, help="of actors, 0: all alike (default: %(default)s)")
    parser.add_argument("--blend-share", type=float, help="blends of the clips (default: as in BLEMORE)")
    parser.add_argument("--even-share", type=float, default=encoders.even_share, help="50/50 of the blends (default: %(default).3f)")
    parser.add_argument("--sets", type=int, default=300, help="test sets to simulate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(arguments)
    if min(asked.clips, asked.actors, asked.sets) < 1 or asked.clips < asked.actors:
        parser.error("clips, actors and sets must be positive, and every actor needs a clip")
    shares = (asked.correlation, asked.even_share, 0 if asked.blend_share is None else asked.blend_share)
    if not all(0 <= share <= 1 for share in shares) or not (0 <= asked.strength < np.inf and 0 <= asked.style < np.inf):
        parser.error("correlation and shares must be from 0 to 1, strength and style must not be negative")
    population = Population((asked.strength,) * ENCODERS, asked.correlation, asked.style, asked.blend_share, asked.even_share)
    found = simulated_differences(population, asked.fewer, asked.clips, asked.actors, asked.sets, asked.seed)
    by_chance = float((np.abs(found - found.mean()) >= abs(asked.difference)).mean())
    low, high = np.quantile(found, [0.025, 0.975])
    print(
        f"{asked.fewer} and {ENCODERS} simulated encoders on {asked.sets} test sets of {asked.clips} clips by {asked.actors} actors: "
        f"the larger ensemble scores {found.mean():+.4f} on average, {low:+.4f} to {high:+.4f} on 95 % of the sets; "
        f"{by_chance:.0%} of them are {abs(asked.difference):g} or more away from the average."
    )


if __name__ == "__main__":
    main()
