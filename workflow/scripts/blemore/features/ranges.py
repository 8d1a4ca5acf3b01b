"""The layers of a layer curve: every single hidden layer up to the highest that is asked for, and ranges of them. Standard library only."""

from collections.abc import Sequence

Range = tuple[int, int]  # first and last, both included


def layer_ranges(ranges: Sequence[Sequence[int]]) -> dict[str, Range]:
    """Name -> first and last layer: `0`, `1`, … and `6-12`; 0 is the input of layer 1.

    Source: arXiv:2603.23650, which compares 0-5, 6-12 and 13-24.
    """
    singles = {str(layer): (layer, layer) for layer in range(highest(ranges) + 1)}
    return singles | {range_name(first, last): (first, last) for first, last in ranges}


def range_name(first: int, last: int) -> str:
    """`6-12`, or `6` for a single layer."""
    return str(first) if first == last else f"{first}-{last}"


def highest(ranges: Sequence[Sequence[int]]) -> int:
    """The last layer that has to run."""
    return max(last for _, last in ranges)
