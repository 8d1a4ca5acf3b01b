"""Frozen wav2vec2 and its relatives WavLM and HuBERT: the mean of a range of hidden layers, or all layers at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blemore.features.checkpoints import load_model, read_json
from blemore.features.extraction import TooShort
from blemore.features.sound import SPEECH_RATE_HZ
from blemore.job import BadInput

CLASSES = {kind: f"{kind}.modeling_{kind}.{name}Model" for kind, name in (("wav2vec2", "Wav2Vec2"), ("wavlm", "WavLM"), ("hubert", "Hubert"))}


class HiddenLayers:
    """Hidden states `first` to `last` of a speech encoder that is cut after layer `last`.

    `hidden_states[0]` is the input of layer 1, `hidden_states[i]` the output of layer i. Layers above `last`
    are never run. Clips go through one by one: group-norm models (wav2vec2-large and all base ones) normalise over time
    without a mask, so padding would change their output.

    Args:
        folder: a local checkpoint in the Hugging Face layout.
        kind: wav2vec2, wavlm or hubert, which must be what the checkpoint is.
        layers: (first, last), both included.

    Raises:
        BadInput: if the checkpoint is of another kind, has fewer layers, hears another sample rate, or lacks weights.
    """

    def __init__(self, folder: str | Path, kind: str, layers: tuple[int, int], precision: str = "float32", device: str = "cpu") -> None:
        model = load_model(folder, kind, {kind: CLASSES[kind]}, precision, device)
        first, last = layers
        if last > len(model.encoder.layers):
            raise BadInput(f"{folder} has {len(model.encoder.layers)} layers, but features.*.layers asks for {last}; lower it.")
        model.encoder.layers = model.encoder.layers[:last]
        self.model = model
        self.width: int = model.config.hidden_size
        self._normalise = _hears(Path(folder)).get("do_normalize", True)
        self._kept: list[torch.Tensor] = []
        if first == 0:
            model.encoder.layers[0].register_forward_pre_hook(lambda module, inputs: self._kept.append(inputs[0]))
        for layer in model.encoder.layers[max(first, 1) - 1 :]:
            layer.register_forward_hook(lambda module, inputs, output: self._kept.append(output[0] if isinstance(output, tuple) else output))

    @torch.inference_mode()
    def __call__(self, waveform: NDArray[np.float32]) -> torch.Tensor:
        """Mono audio at 16 kHz, shape (n,), to float32 (layers, t, width), about 50 frames a second.

        Raises:
            TooShort: if the audio is shorter than the receptive field of one frame (25 ms).
        """
        samples = torch.from_numpy(waveform).to(self.model.device)
        if len(samples) == 0 or int(self.model._get_feat_extract_output_lengths(len(samples))) < 1:
            raise TooShort(f"{len(samples)} samples are less than one frame")
        if self._normalise:
            samples = (samples - samples.mean()) / torch.sqrt(samples.var(correction=0) + 1e-7)
        self._kept.clear()
        self.model(samples[None].to(self.model.dtype))
        return torch.cat(self._kept).float()


class LayerMean:
    """The mean of hidden layers; arguments as of `HiddenLayers`.

    Source: arXiv:2603.23650, section III-B (layers 6-12).
    """

    def __init__(self, folder: str | Path, kind: str, layers: tuple[int, int], precision: str = "float32", device: str = "cpu") -> None:
        self.states = HiddenLayers(folder, kind, layers, precision, device)
        self.width = self.states.width

    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mono audio at 16 kHz, shape (n,), to frames, shape (t, width); raises TooShort."""
        return self.states(waveform).mean(0).cpu().numpy()


def _hears(folder: Path) -> Mapping[str, Any]:
    """What the checkpoint's own feature extractor does to a waveform; one without the file is taken to normalise, as all large models do."""
    path = folder / "preprocessor_config.json"
    settings = read_json(path) if path.is_file() else {}
    if settings.get("sampling_rate", SPEECH_RATE_HZ) != SPEECH_RATE_HZ:
        raise BadInput(f"{folder} hears {settings['sampling_rate']} samples a second, but audio of {SPEECH_RATE_HZ} is what there is; mend features.*.model.")
    return settings
