"""The distance of neighbours on the grid of weights. Standard library only, because the configuration is checked by it."""

from blemore.job import BadInput


def steps_of_one(step: float) -> int:
    """How many steps make 1.

    Raises:
        BadInput: if that is no whole number.
    """
    steps = round(1 / step)
    if abs(steps * step - 1) > 1e-9:
        raise BadInput(f"fusion.weights.step is {step}; 1 must be a multiple of it, as of 0.1 or 0.05.")
    return steps
