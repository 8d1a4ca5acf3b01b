"""Statistics of every hidden layer of a speech encoder, and of ranges of them, of one shard: one pass per clip."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from blemore.features.audio import audio_clips
from blemore.features.extraction import collect
from blemore.features.pooling import STATISTICS, segment_statistics
from blemore.features.ranges import Range, highest, layer_ranges
from blemore.features.sound import SPEECH_RATE_HZ
from blemore.features.wav2vec2 import HiddenLayers
from blemore.features.weights import open_folder
from blemore.job import run
from blemore.stores import provenance, write_features
from blemore.torch_setup import deterministic, resolve_device

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    params, audio = snakemake.params, snakemake.input.audio
    cfg, ranges, runtime = params.cfg, params.curve["ranges"], params.runtime
    deterministic()
    folder, weights = open_folder(cfg["model"], cfg["revision"], runtime["weights"], snakemake.input.weights)
    states = HiddenLayers(folder, cfg["kind"], (0, highest(ranges)), cfg["precision"], resolve_device(runtime["device"]))
    named = layer_ranges(ranges)
    embed = statistics_of_layers(states, list(named.values()), cfg["segments"])
    features = collect(audio_clips(audio, SPEECH_RATE_HZ), embed, (len(named), STATISTICS * states.width), params.actors)
    attributes = provenance(params, {"audio": audio}, ("numpy", "torch", "transformers"), weights=weights, layers=list(named))
    write_features(snakemake.output.store, features, attributes, ("clip", "layers", "feature"))


def statistics_of_layers(states: HiddenLayers, ranges: Sequence[Range], segments: int) -> Callable[[NDArray], tuple[NDArray[np.float32], int]]:
    """A function from a waveform to the statistics of each range, (ranges, 7 * width), and the number of frames."""

    def embed(waveform: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
        layers = states(waveform)
        means = (layers[first : last + 1].mean(0).cpu().numpy() for first, last in ranges)
        return np.stack([segment_statistics(frames, segments) for frames in means]), layers.shape[1]

    return embed


if __name__ == "__main__":
    run(main, snakemake)
