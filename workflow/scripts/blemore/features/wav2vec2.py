"""Frozen wav2vec2: the mean of a range of hidden layers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2Model  # from its own module: 3 s less in every job

from blemore.features.extraction import TooShort
from blemore.job import BadInput


class LayerMean:
    """Mean over hidden layers `first` to `last` of a wav2vec2 encoder that is cut after layer `last`.

    `hidden_states[0]` is the input of layer 1, `hidden_states[i]` the output of layer i. Layers above `last`
    are never run. Clips go through one by one: `wav2vec2-large` normalises over time without a mask, so padding
    would change its output.

    Args:
        folder: a local checkpoint in the Hugging Face layout.
        layers: (first, last), both included.
        device: torch device.

    Raises:
        BadInput: if the checkpoint has fewer layers, or weights that the model needs are not in it.

    Source: arXiv:2603.23650, section III-B (layers 6-12).
    """

    def __init__(self, folder: str | Path, layers: tuple[int, int], device: str = "cpu") -> None:
        loaded: Any = Wav2Vec2Model.from_pretrained(folder, dtype=torch.float32, local_files_only=True, output_loading_info=True)
        model, loading = loaded
        missing = sorted(set(loading["missing_keys"]) - {"masked_spec_embed"})
        if missing:
            raise BadInput(f"{folder} lacks the weights {', '.join(missing[:3])} ({len(missing)} in all): it is no wav2vec2 checkpoint; mend features.*.model.")
        first, last = layers
        if last > len(model.encoder.layers):
            raise BadInput(f"{folder} has {len(model.encoder.layers)} layers, but features.*.layers asks for {last}; lower it.")
        model.encoder.layers = model.encoder.layers[:last]
        self.model = model.eval().to(device)
        self.width: int = model.config.hidden_size
        self._kept: list[torch.Tensor] = []
        if first == 0:
            model.encoder.layers[0].register_forward_pre_hook(lambda module, inputs: self._kept.append(inputs[0]))
        for layer in model.encoder.layers[max(first, 1) - 1 :]:
            layer.register_forward_hook(lambda module, inputs, output: self._kept.append(output[0] if isinstance(output, tuple) else output))

    @torch.inference_mode()
    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mono audio at 16 kHz, shape (n,), to frames, shape (t, width), about 50 a second.

        Raises:
            TooShort: if the audio is shorter than the receptive field of one frame (25 ms).
        """
        samples = torch.from_numpy(waveform).to(self.model.device)
        if len(samples) == 0 or int(self.model._get_feat_extract_output_lengths(len(samples))) < 1:
            raise TooShort(f"{len(samples)} samples are less than one frame")
        normalised = (samples - samples.mean()) / torch.sqrt(samples.var(correction=0) + 1e-7)
        self._kept.clear()
        self.model(normalised[None])
        return torch.stack(self._kept).mean(0)[0].cpu().numpy()
