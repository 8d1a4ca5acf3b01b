"""What the named recipes of S4D set where a setting is null."""

from collections.abc import Mapping
from typing import Any

# arXiv:2603.23650, section IV-A; it states no augmentation besides the random window, and no weight decay: .05 is the released code's.
PAPER: dict[str, dict[str, Any]] = {
    "training": {
        "epochs": 100,
        "batch_size": 16,
        "learning_rate": 1e-4,
        "head_learning_rate": 1e-4,
        "weight_decay": 0.05,
        "warmup_epochs": 0,
        "layer_decay": 1.0,
    },
    "augment": {"crop_scale": 1.0, "flip": False, "randaugment": "", "erasing": 0.0},
    "mixing": {"mixup": 0.0, "cutmix": 0.0},
}
RATE_PER_CLIP = 1e-5 / 8
# MSA-LMC/S4D, commit 43c2333: the rate grows with the clips of one update.
RELEASED: dict[str, dict[str, Any]] = {
    "training": {**PAPER["training"], "learning_rate": None, "head_learning_rate": None, "warmup_epochs": 5, "layer_decay": 0.75},
    "augment": {"crop_scale": 0.08, "flip": True, "randaugment": "m7-n4-mstd0.5", "erasing": 0.25},
    "mixing": {"mixup": 0.8, "cutmix": 1.0},
}
RECIPES: dict[str, dict[str, dict[str, Any]]] = {"paper": PAPER, "released": RELEASED}


def resolve(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an encoder with those that its recipe sets in place of null; without a recipe they stay as they are."""
    if "recipe" not in settings:
        return dict(settings)
    recipe = RECIPES[settings["recipe"]]
    filled: dict[str, Any] = {
        block: {name: values.get(name) if given is None else given for name, given in settings[block].items()} for block, values in recipe.items()
    }
    training = filled["training"]
    rate = RATE_PER_CLIP * training["batch_size"] * training["accumulation"]
    for name in ("learning_rate", "head_learning_rate"):
        training[name] = rate if training[name] is None else training[name]
    return {**settings, **filled}
