"""wav2vec2 trained end to end with attentive pooling. arXiv:2603.23650, section III-B."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2Model

from blemore.data.labels import EMOTIONS
from blemore.features.checkpoints import DRAWN_IN_TRAINING, model_type
from blemore.features.sound import SPEECH_RATE_HZ
from blemore.finetune.clips import Sound
from blemore.finetune.trainee import Trainee, check_loading
from blemore.job import BadInput

HEAD = ("pooling.", "head.")
ATTENTION_WIDTH = 128


class AttentivePooling(nn.Module):
    """The mean over time, weighted by what a small network finds in each frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, ATTENTION_WIDTH), nn.Tanh(), nn.Linear(ATTENTION_WIDTH, 1))

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(b, t, width) -> (b, width)."""
        return (self.score(frames).softmax(1) * frames).sum(1)


class SpeechClassifier(nn.Module):
    """wav2vec2, attentive pooling and a linear head. Clips of a batch have one length: there is no mask, which models with group norm cannot use."""

    def __init__(self, encoder: Wav2Vec2Model) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = AttentivePooling(encoder.config.hidden_size)
        self.head = nn.Linear(encoder.config.hidden_size, len(EMOTIONS))

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        """Normalised sound (b, n) -> logits (b, 6)."""
        return self.head(self.pooling(self.encoder(samples).last_hidden_state))

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Layers for the layer decay of timm: convolutions and projection, each layer, and last the pooling and the head."""
        return {"stem": r"^encoder\.(?:feature|masked|encoder\.pos|encoder\.layer_norm)", "blocks": r"^encoder\.encoder\.layers\.(\d+)"}


def build(recipe: Mapping[str, Any], folder: Path) -> Trainee:
    """A checkpoint of wav2vec2 with fresh pooling and head.

    Raises:
        BadInput: if the folder holds another kind of checkpoint, or lacks weights.
    """
    if model_type(folder) != "wav2vec2":
        raise BadInput(f"{folder} holds a checkpoint of {model_type(folder)}, not of wav2vec2; mend features.*.model.")
    loaded: Any = Wav2Vec2Model.from_pretrained(folder, dtype=torch.float32, local_files_only=True, output_loading_info=True)
    encoder, loading = loaded
    # What pretraining needed besides the encoder is left unread.
    loading["unexpected_keys"] = {name for name in loading["unexpected_keys"] if not name.startswith(("quantizer.", "project_", "lm_head."))}
    check_loading(folder, loading, DRAWN_IN_TRAINING, "wav2vec2")
    return Trainee(SpeechClassifier(encoder), HEAD, save)


def save(network: SpeechClassifier, folder: Path) -> None:
    """Writes the encoder in the layout of transformers, and pooling and head beside it."""
    network.encoder.save_pretrained(folder)
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items() if name.startswith(HEAD)}, folder / "head.safetensors")


def open_trained(recipe: Mapping[str, Any], folder: Path) -> nn.Module:
    """What `save` wrote."""
    network = build(recipe, folder).network
    head = load_file(folder / "head.safetensors")
    needed = {name for name in network.state_dict() if name.startswith(HEAD)}
    if set(head) != needed:
        raise BadInput(f"{folder / 'head.safetensors'} does not hold {', '.join(sorted(needed ^ set(head)))} as it should; train the encoder again.")
    network.load_state_dict(head, strict=False)
    return network


def media(recipe: Mapping[str, Any], folder: Path) -> Sound:
    """Audio at the rate of the encoder."""
    return Sound(recipe["crop_s"], SPEECH_RATE_HZ)
