"""What the trainer trains: a network of any kind, and what it must know of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from blemore.job import BadInput


class Trainee(NamedTuple):
    """A network with pretrained weights and a fresh head.

    Args:
        network: inputs (b, …) -> logits (b, 6); its `group_matcher` says to timm which layer a parameter belongs to. Where it has
            `auxiliary_loss()` and `expert_use()`, the first is added to the loss and the second logged.
        head: prefixes of the names of parameters that are fresh, and learn at a rate of their own.
        save: writes a network of this kind into an empty folder.
    """

    network: nn.Module
    head: tuple[str, ...]
    save: Callable[[Any, Path], None]


def check_loading(folder: str | Path, loading: dict[str, Any], fresh: set[str], kind: str) -> None:
    """Refuses a checkpoint of which more than the head would start at random, or that holds what the model has no use for.

    Args:
        loading: the loading report of transformers.
        fresh: names of parameters that the checkpoint need not hold.

    Raises:
        BadInput: naming what is missing or too much.
    """
    absent = sorted({*loading["missing_keys"], *(entry[0] for entry in loading["mismatched_keys"])} - fresh)
    unknown = sorted(loading["unexpected_keys"])
    if absent or unknown:
        problems = [f"{what} {', '.join(names[:3])} ({len(names)} in all)" for what, names in (("lacks", absent), ("holds the unknown", unknown)) if names]
        raise BadInput(f"{folder} {' and '.join(problems)}: it is no checkpoint of {kind}; mend features.*.model.")
