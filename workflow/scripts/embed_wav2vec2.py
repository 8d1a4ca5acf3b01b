"""Statistics of frozen hidden layers of wav2vec2, WavLM or HuBERT of one shard."""

from typing import TYPE_CHECKING

from blemore.features.audio import audio_clips
from blemore.features.extraction import extract
from blemore.features.sound import SPEECH_RATE_HZ
from blemore.features.wav2vec2 import LayerMean
from blemore.features.weights import open_folder
from blemore.job import run
from blemore.stores import provenance, write_features
from blemore.torch_setup import deterministic, resolve_device

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    cfg, runtime = snakemake.params.cfg, snakemake.params.runtime
    deterministic()
    folder, weights = open_folder(cfg["model"], cfg["revision"], runtime["weights"], snakemake.input.weights)
    encode = LayerMean(folder, cfg["kind"], cfg["layers"], cfg["precision"], resolve_device(runtime["device"]))
    features = extract(audio_clips(snakemake.input.audio, SPEECH_RATE_HZ), encode, encode.width, cfg["segments"], snakemake.params.actors)
    attributes = provenance(snakemake.params, {"audio": snakemake.input.audio}, ("numpy", "torch", "transformers"), weights=weights)
    write_features(snakemake.output.store, features, attributes)


if __name__ == "__main__":
    run(main, snakemake)
