"""Prosody statistics of one shard."""

from functools import partial
from typing import TYPE_CHECKING

from blemore.features.audio import audio_clips
from blemore.features.extraction import extract
from blemore.features.prosody import WIDTH, prosody_frames
from blemore.job import run
from blemore.stores import provenance, write_features

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    cfg = snakemake.params.cfg
    analysis = {name: cfg[name] for name in ("f0_max_hz", "f0_min_hz", "hop_s")}
    encode = partial(prosody_frames, sample_rate_hz=snakemake.params.audio["sample_rate_hz"], **analysis)
    features = extract(audio_clips(snakemake.input.audio), encode, WIDTH, cfg["segments"], snakemake.params.actors)
    attributes = provenance(snakemake.params, {"audio": snakemake.input.audio}, ("librosa", "numba", "numpy", "scipy"))
    write_features(snakemake.output.store, features, attributes)


if __name__ == "__main__":
    run(main, snakemake)
