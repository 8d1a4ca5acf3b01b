"""S4D-ViTMoE on face crops. arXiv:2603.23650, section III-A."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from blemore.finetune.clips import Windows
from blemore.finetune.pictures import IMAGENET_MEAN, IMAGENET_STD, Pictures
from blemore.finetune.s4d import S4D, count_parameters, freeze, load_pretrained
from blemore.finetune.trainee import Trainee

HEAD = ("head.",)


def build(recipe: Mapping[str, Any], folder: Path) -> Trainee:
    """The self-supervised encoder with fresh experts and head, frozen as the recipe says; prints what is loaded and trained."""
    network = S4D(frames=recipe["n_frames"], **recipe["sizes"])
    loaded = load_pretrained(network, folder / recipe["file"])
    print(f"{len(loaded.taken)} tensors of {recipe['file']} taken, {len(loaded.dropped)} dropped, {len(loaded.fresh)} of the model are fresh.")
    freeze(network, recipe["frozen_blocks"], recipe["train_dense"])
    for part, count in count_parameters(network).items():
        print(f"{part}: {count.trained:,} parameters trained, {count.frozen:,} frozen.")
    return Trainee(network, HEAD, save)


def save(network: S4D, folder: Path) -> None:
    """Writes all weights by the names of the released layout."""
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, folder / "model.safetensors")


def open_trained(recipe: Mapping[str, Any], folder: Path) -> S4D:
    """What `save` wrote."""
    network = S4D(frames=recipe["n_frames"], **recipe["sizes"])
    network.load_state_dict(load_file(folder / "model.safetensors"))
    return network


def media(recipe: Mapping[str, Any], folder: Path) -> Windows:
    """Face crops, normalised as ImageNet is."""
    views = recipe["views"]
    pictures = Pictures(recipe["sizes"]["image_size"], IMAGENET_MEAN, IMAGENET_STD, views["crops"], views["spatial"], **recipe["augment"])
    return Windows(pictures, recipe["n_frames"], recipe["stride"], views["segments"])
