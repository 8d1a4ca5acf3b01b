"""Embeddings of one shard's short clips by an open model on this machine."""

from typing import TYPE_CHECKING

from blemore.features.extraction import collect
from blemore.features.video import ENCODERS, recordings
from blemore.features.weights import open_folder
from blemore.job import run
from blemore.stores import provenance, write_features
from blemore.torch_setup import deterministic, resolve_device

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PACKAGES = ("av", "numpy", "timm", "torch", "torchvision", "transformers")


def main(snakemake) -> None:
    params, clips = snakemake.params, snakemake.input.clips
    cfg, runtime = params.cfg, params.runtime
    deterministic()
    folder, weights = open_folder(cfg["model"], cfg["revision"], runtime["weights"], snakemake.input.weights)
    embed = ENCODERS[cfg["kind"]](folder, cfg["precision"], resolve_device(runtime["device"]))
    features = collect(recordings(clips, params.cut["fps"]), embed, (embed.width,), params.actors)
    write_features(snakemake.output.store, features, provenance(params, {"clips": clips}, PACKAGES, weights=weights))


if __name__ == "__main__":
    run(main, snakemake)
