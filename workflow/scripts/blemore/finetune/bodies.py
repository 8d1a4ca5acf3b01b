"""VideoMAE and TimeSformer on frames of the whole body. arXiv:2603.23650, section III-C."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from blemore.data.labels import EMOTIONS
from blemore.features.checkpoints import model_type, read_json
from blemore.finetune.clips import Spread
from blemore.finetune.pictures import Pictures
from blemore.finetune.trainee import Trainee, check_loading
from blemore.job import BadInput

# From its own module, since transformers as a whole takes 3 s more to import.
CLASSES = {
    "videomae": "videomae.modeling_videomae.VideoMAEForVideoClassification",
    "timesformer": "timesformer.modeling_timesformer.TimesformerForVideoClassification",
}
HEAD = ("classifier.",)


class Classifier(nn.Module):
    """A video classifier of transformers that takes channels before frames."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """(b, 3, t, h, w) -> logits (b, 6)."""
        return self.model(pixel_values=clips.transpose(1, 2)).logits

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Layers for the layer decay of timm: embeddings, each layer, and last the norm and the head."""
        return {"stem": r"^model\.\w+\.embeddings", "blocks": r"^model\.\w+\.encoder\.layer\.(\d+)"}


def build(recipe: Mapping[str, Any], folder: Path) -> Trainee:
    """A checkpoint of `recipe["kind"]` with a fresh head of six emotions.

    Raises:
        BadInput: if the folder holds another kind of checkpoint, lacks weights, or is for another number of frames.
    """
    kind = recipe["kind"]
    if model_type(folder) != kind:
        raise BadInput(f"{folder} holds a checkpoint of {model_type(folder)}, not of {kind}; mend features.*.kind or features.*.model.")
    module, _, name = CLASSES[kind].rpartition(".")
    cls = getattr(import_module(f"transformers.models.{module}"), name)
    loaded: Any = cls.from_pretrained(
        folder, num_labels=len(EMOTIONS), ignore_mismatched_sizes=True, dtype=torch.float32, local_files_only=True, output_loading_info=True
    )
    model, loading = loaded
    check_loading(folder, loading, {"classifier.weight", "classifier.bias"}, kind)
    if model.config.num_frames != recipe["n_frames"]:
        raise BadInput(
            f"{folder} takes {model.config.num_frames} frames, but features.*.n_frames is {recipe['n_frames']}; set it to {model.config.num_frames}."
        )
    return Trainee(Classifier(model), tuple(f"model.{prefix}" for prefix in HEAD), save)


def save(network: Classifier, folder: Path) -> None:
    """Writes the checkpoint in the layout of transformers."""
    network.model.save_pretrained(folder)


def open_trained(recipe: Mapping[str, Any], folder: Path) -> nn.Module:
    """What `save` wrote, which holds the head too."""
    return build(recipe, folder).network


def media(recipe: Mapping[str, Any], folder: Path) -> Spread:
    """Body frames in the size, mean and deviation that the checkpoint's own preprocessor states."""
    stated, config = read_json(folder / "preprocessor_config.json"), read_json(folder / "config.json")
    try:
        mean, std = (tuple(float(value) for value in stated[name]) for name in ("image_mean", "image_std"))
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{folder / 'preprocessor_config.json'} states no image_mean and image_std; put the checkpoint's own file there.") from None
    views = recipe["views"]
    pictures = Pictures(int(config["image_size"]), mean, std, views["crops"], views["spatial"], **recipe["augment"])
    return Spread(pictures, recipe["n_frames"], views["segments"])
