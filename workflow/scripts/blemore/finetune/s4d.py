"""S4D-ViTMoE, the face encoder: a video transformer with adapter experts in its upper blocks.

Written from a description of the model; the released code (MSA-LMC/S4D) is not used. arXiv:2603.23650, section III-A.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from blemore.finetune.s4d_blocks import NORM_EPSILON, Block, Mixture, sinusoids
from blemore.finetune.s4d_checkpoint import Loaded, load_encoder, write_encoder
from blemore.finetune.s4d_sizes import Sizes

INITIAL_STD = 0.02
FRESH = ("moe_layer.", "fc_norm.", "head.")  # parts that a self-supervised checkpoint does not hold


class Count(NamedTuple):
    """Parameters of a part of the model."""

    trained: int
    frozen: int


class PatchEmbedding(nn.Module):
    """Tubelets of pixels to tokens."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        kernel = (sizes.tubelet, sizes.patch, sizes.patch)
        self.proj = nn.Conv3d(3, sizes.width, kernel_size=kernel, stride=kernel)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """(b, 3, frames, height, width) -> (b, tokens, width)."""
        return self.proj(clips).flatten(2).transpose(1, 2)


class S4D(nn.Module):
    """A ViT over tubelets of a face, with top-k adapter experts beside the MLPs of its upper blocks.

    Args:
        num_classes: logits per clip.
        sizes: fields of `Sizes` that differ from the released encoder's.

    Raises:
        BadInput: if sizes do not fit each other.
    """

    def __init__(self, num_classes: int = 6, **sizes: int) -> None:
        super().__init__()
        self.sizes = Sizes(**sizes)
        self.patch_embed = PatchEmbedding(self.sizes)
        self.register_buffer("positions", sinusoids(self.sizes.tokens, self.sizes.width), persistent=False)
        self.blocks = nn.ModuleList(Block(self.sizes, experts=index >= self.sizes.first_moe_block) for index in range(self.sizes.depth))
        self.fc_norm = nn.LayerNorm(self.sizes.width, eps=NORM_EPSILON)
        self.head = nn.Linear(self.sizes.width, num_classes)
        self.apply(_initialise)

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (b, 3, frames, image_size, image_size) -> logits (b, num_classes)."""
        frozen = self.frozen_blocks
        with torch.set_grad_enabled(torch.is_grad_enabled() and _is_trained(self.patch_embed)):
            tokens = self.patch_embed(clips) + self.positions
        for index, block in enumerate(self.blocks):
            with torch.set_grad_enabled(torch.is_grad_enabled() and index >= frozen):
                tokens = block(tokens)
        return self.head(self.fc_norm(tokens.mean(1)))

    @property
    def frozen_blocks(self) -> int:
        """How many blocks come before the first trained parameter."""
        if _is_trained(self.patch_embed):
            return 0
        return next((index for index, block in enumerate(self.blocks) if _is_trained(block)), len(self.blocks))

    def mixtures(self) -> dict[int, Mixture]:
        """The expert layers by the number of their block."""
        return {index: layer for index, block in enumerate(self.blocks) if isinstance(layer := block.moe_layer, Mixture)}

    def auxiliary_loss(self) -> torch.Tensor:
        """The load-balancing loss of the last forward pass, a scalar: the sum over expert layers, each 1 at best.

        Each forward pass in training replaces it: with gradient accumulation, add it to the loss of every part of the batch.

        Raises:
            RuntimeError: if the last forward pass was none in training.
        """
        losses = [mixture.balance for mixture in self.mixtures().values() if mixture.balance is not None]
        if not losses:
            raise RuntimeError("auxiliary_loss() needs a forward pass in training mode before it")
        return torch.stack(losses).sum()

    def expert_use(self) -> dict[int, list[float]]:
        """Share of the choices that fell on each expert, by block, over the forward passes in training since the last call."""
        taken = {index: mixture.take_use().double() for index, mixture in self.mixtures().items()}
        return {index: (use / use.sum().clamp(min=1)).tolist() for index, use in taken.items()}

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Layers for the layer decay of timm: patch embedding, each block, and last what belongs to neither."""
        return {"stem": r"^patch_embed", "blocks": r"^blocks\.(\d+)"}


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=INITIAL_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _is_trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _is_fresh(name: str) -> bool:
    return name.startswith(FRESH) or any(f".{part}" in name for part in FRESH)


def load_pretrained(model: S4D, path: str | Path) -> Loaded:
    """Fills the model with a self-supervised encoder; experts, routers, `fc_norm` and the head stay as they are.

    Args:
        path: a checkpoint in the layout of the released one, see `s4d_checkpoint`.

    Raises:
        BadInput: unless exactly what it must hold is in it, in the sizes of the model.
    """
    return load_encoder(model, path, {name for name in model.state_dict() if _is_fresh(name)})


def write_random_checkpoint(path: str | Path, seed: int, **sizes: int) -> None:
    """Writes an encoder with random weights in the layout of the released checkpoint, for demonstrations and tests.

    Args:
        path: `.pt` or `.safetensors`.
        sizes: as for `S4D`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        state = S4D(**sizes).state_dict()
        write_encoder(path, {name: tensor for name, tensor in state.items() if not _is_fresh(name)})


def freeze(model: S4D, frozen_blocks: int = 6, train_dense: bool = False) -> None:
    """Decides what is trained: experts, routers, `fc_norm` and head always.

    Args:
        frozen_blocks: how many of the lower blocks stay as they are; the patch embedding goes with the first of them.
        train_dense: also trains attention, MLP and norms of the blocks above; otherwise they stay as they are too.

    Raises:
        BadInput: if blocks with experts, which are not pretrained, would be frozen.

    Source: arXiv:2603.23650, section III-A.
    """
    model.sizes.check_frozen(frozen_blocks)
    upper = tuple(f"blocks.{index}." for index in range(frozen_blocks, model.sizes.depth)) + (("patch_embed.",) if frozen_blocks == 0 else ())
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_is_fresh(name) or (train_dense and name.startswith(upper)))


def count_parameters(model: S4D) -> dict[str, Count]:
    """Trained and frozen parameters of each part of the model, by a name to print."""
    first, last = model.sizes.first_moe_block, model.sizes.depth - 1
    counts: dict[str, Count] = {}
    for name, parameter in model.named_parameters():
        part = _part(name, first, last)
        trained, frozen = counts.get(part, Count(0, 0))
        size = parameter.numel()
        counts[part] = Count(trained + size, frozen) if parameter.requires_grad else Count(trained, frozen + size)
    return counts


def _part(name: str, first: int, last: int) -> str:
    if name.startswith("patch_embed."):
        return "patch embedding"
    if ".moe_layer." in name:
        return "experts and routers"
    if not name.startswith("blocks."):
        return "fc_norm and head"
    return f"blocks 0-{first - 1}" if int(name.split(".")[1]) < first else f"attention, MLPs and norms of blocks {first}-{last}"
