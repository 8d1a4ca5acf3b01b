"""Frozen Video Swin of torchvision on windows of frames."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models.video.swin_transformer import Swin3D_T_Weights, SwinTransformer3d

from blemore.job import BadInput

STEP_FRAMES = 2  # pictures that one step in time of the network is made of
PATCH, WINDOW = [STEP_FRAMES, 4, 4], [8, 7, 7]
STAGES = (0, 2, 4, 6)  # in the state dict, between them the mergers of patches


class VideoSwin:
    """Features over time: what the last stage gives for each two frames, averaged over the picture.

    All windows have the same number of frames, so nothing is padded and the clip's length does not show: the last window reaches
    back over frames that were seen already, whose steps count once; the frames of a clip that is shorter than a window are repeated evenly.

    Args:
        file: state dict of torchvision's swin3d_t, swin3d_s or swin3d_b, whose size is read from it.
        window: frames in a window, even.

    Raises:
        BadInput: if the file holds something else.

    Source: arXiv:2106.13230; pictures are prepared as torchvision's weights say.
    """

    def __init__(self, file: str | Path, window: int, precision: str = "float32", device: str = "cpu") -> None:
        model = load(Path(file)).to(device, getattr(torch, precision)).eval()
        self.width: int = model.num_features
        self._model, self._window, self._device, self._dtype = model, window, device, getattr(torch, precision)
        self._prepare = Swin3D_T_Weights.KINETICS400_V1.transforms()

    @torch.inference_mode()
    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB pictures (t, h, w, 3) to vectors (steps, width), one for each two frames."""
        clips = windows(len(frames), self._window)
        starts = [int(indices[0]) for indices in clips]
        seen = [0] + [max(0, before + self._window - start) // STEP_FRAMES for before, start in pairwise(starts)]
        return np.concatenate([self._embed(frames[indices])[skip:] for indices, skip in zip(clips, seen)])

    def _embed(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = self._prepare(torch.from_numpy(frames).permute(0, 3, 1, 2)).to(self._device, self._dtype)
        model = self._model
        states = model.norm(model.features(model.pos_drop(model.patch_embed(pixels[None]))))
        return states.float().mean(dim=(2, 3))[0].cpu().numpy()


def windows(count: int, size: int) -> list[NDArray[np.int64]]:
    """Indices of the frames of each window; the last one ends with the last frame, and a short clip is stretched to one window."""
    if count < size:
        return [np.arange(size) * count // size]
    starts = [*range(0, count - size, size), count - size]
    return [np.arange(start, start + size) for start in starts]


def weights_file(place: Path) -> Path:
    """The file of weights: the place itself, or the only one in a folder."""
    return place if place.is_file() else next(place.glob("*.pth"))


def load(file: Path) -> SwinTransformer3d:
    """The network that a state dict belongs to, with its weights."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        model = network(state)
        model.load_state_dict(state)
    except Exception as error:  # whatever a file that is no state dict, or that of another network, may raise
        raise BadInput(f"{file} holds no weights of torchvision's Video Swin ({type(error).__name__}); mend features.*.model.") from error
    return model


def network(state: Mapping[str, Any]) -> SwinTransformer3d:
    """The network that a state dict fits, without its weights."""
    return SwinTransformer3d(PATCH, *_size(state), WINDOW, stochastic_depth_prob=0.0, num_classes=len(state["head.weight"]))


def _size(state: Mapping[str, Any]) -> tuple[int, list[int], list[int]]:
    """Width of the first stage, blocks of each stage, and its heads."""
    blocks = [re.fullmatch(r"features\.(\d+)\.(\d+)\.norm1\.weight", name) for name in state]
    depths = [sum(block is not None and int(block[1]) == stage for block in blocks) for stage in STAGES]
    heads = [state[f"features.{stage}.0.attn.relative_position_bias_table"].shape[1] for stage in STAGES]
    return len(state["patch_embed.proj.weight"]), depths, heads
