"""Sizes of S4D-ViTMoE that fit each other. Standard library only, because the configuration is checked by them."""

from dataclasses import dataclass

from blemore.job import BadInput


@dataclass(frozen=True)
class Sizes:
    """Sizes of an S4D-ViTMoE; the defaults are those of the released encoder.

    Raises:
        BadInput: if they do not fit each other.
    """

    frames: int = 16
    image_size: int = 160  # pixels
    patch: int = 16  # pixels
    tubelet: int = 2  # frames
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp_ratio: int = 4
    experts: int = 8
    top_k: int = 2
    bottleneck: int = 192
    first_moe_block: int = 6  # blocks are counted from 0

    def __post_init__(self) -> None:
        for whole, part in (("width", "heads"), ("image_size", "patch"), ("frames", "tubelet")):
            if getattr(self, whole) % getattr(self, part):
                raise BadInput(f"{whole} is {getattr(self, whole)}; it must be a multiple of {part}, {getattr(self, part)}.")
        if not 1 <= self.top_k <= self.experts:
            raise BadInput(f"top_k is {self.top_k}; it must be from 1 to experts, {self.experts}.")
        if not 0 <= self.first_moe_block < self.depth:
            raise BadInput(f"first_moe_block is {self.first_moe_block}; it must be from 0 to depth - 1, {self.depth - 1}.")

    def check_frozen(self, blocks: int) -> None:
        """Refuses to freeze blocks with experts, which are not pretrained."""
        if not 0 <= blocks <= self.first_moe_block:
            raise BadInput(f"frozen_blocks is {blocks}; it must be from 0 to {self.first_moe_block}, the first block with experts, which are not pretrained.")

    @property
    def tokens(self) -> int:
        """Tokens of a clip: tubelets times patches."""
        return (self.frames // self.tubelet) * (self.image_size // self.patch) ** 2
