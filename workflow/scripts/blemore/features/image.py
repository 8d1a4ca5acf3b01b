"""Frozen encoders of single pictures: CLIP, DINOv2, DINOv3, SigLIP 2."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blemore.features.checkpoints import load_model, read_json
from blemore.job import BadInput

CLIP, SIGLIP = "clip.modeling_clip.CLIPVisionModelWithProjection", "siglip.modeling_siglip.SiglipVisionModel"
# A whole model, of which the part that sees is loaded, or that part alone.
CLASSES = {
    "clip": {"clip": CLIP, "clip_vision_model": CLIP},
    "dinov2": {"dinov2": "dinov2.modeling_dinov2.Dinov2Model"},
    "dinov3": {"dinov3_vit": "dinov3_vit.modeling_dinov3_vit.DINOv3ViTModel"},
    "siglip2": {"siglip": SIGLIP, "siglip_vision_model": SIGLIP},
}
FRAMES_AT_ONCE = 16


class ImageEncoder:
    """One vector per picture: CLIP's projection, SigLIP's pooled output, the normalised class token of DINO.

    Args:
        folder: a local checkpoint in the Hugging Face layout, with its `preprocessor_config.json`.
        kind: a key of CLASSES.
        at_once: pictures in one batch; changes values by rounding alone.

    Raises:
        BadInput: if the checkpoint is of another kind or lacks weights or its preprocessing.
    """

    def __init__(self, folder: str | Path, kind: str, precision: str = "float32", device: str = "cpu", at_once: int = FRAMES_AT_ONCE) -> None:
        self._prepare = image_processor(folder)
        self._model = load_model(folder, kind, CLASSES[kind], precision, device)
        self._at_once = at_once
        self._output = "image_embeds" if kind == "clip" else "pooler_output"
        self.width: int = self._model.config.projection_dim if kind == "clip" else self._model.config.hidden_size

    @torch.inference_mode()
    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB pictures (t, h, w, 3) to vectors (t, width)."""
        batches = [frames[start : start + self._at_once] for start in range(0, len(frames), self._at_once)]
        return np.concatenate([self._embed(batch) for batch in batches])

    def _embed(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = self._prepare(frames).to(self._model.device, self._model.dtype)
        return getattr(self._model(pixel_values=pixels), self._output).float().cpu().numpy()


def image_processor(folder: str | Path) -> Any:
    """What a checkpoint does to pictures (t, h, w, 3) before it sees them, as a function to a tensor (t, 3, side, side).

    The backend is named, because backends differ in how they resize.

    Raises:
        BadInput: if the checkpoint has no `preprocessor_config.json`, since defaults of a class differ from those of its checkpoints, or one that
            transformers itself cannot read: code that comes with a checkpoint is never run.
    """
    from transformers import AutoImageProcessor

    read_json(Path(folder) / "preprocessor_config.json")
    try:
        processor = AutoImageProcessor.from_pretrained(folder, backend="torchvision", local_files_only=True, trust_remote_code=False)
    except ValueError:
        raise BadInput(f"{folder}/preprocessor_config.json names no preprocessing of transformers; put that of a supported checkpoint there.") from None

    def prepare(frames: NDArray[np.uint8]) -> torch.Tensor:
        pixels = processor(list(frames), input_data_format="channels_last", return_tensors="pt")["pixel_values"]
        return pixels.flatten(0, -4)  # some add an axis for the video

    return prepare
