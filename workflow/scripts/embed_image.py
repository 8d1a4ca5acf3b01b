"""Statistics of a frozen encoder of pictures of one shard."""

from typing import TYPE_CHECKING

from blemore.features.extraction import extract
from blemore.features.image import ImageEncoder
from blemore.features.pictures import picture_clips
from blemore.features.weights import open_folder
from blemore.job import run
from blemore.stores import provenance, write_features
from blemore.torch_setup import deterministic, resolve_device

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

PACKAGES = ("numpy", "opencv-python-headless", "torch", "torchvision", "transformers")


def main(snakemake) -> None:
    cfg, runtime, frames = snakemake.params.cfg, snakemake.params.runtime, snakemake.input.frames
    deterministic()
    folder, weights = open_folder(cfg["model"], cfg["revision"], runtime["weights"], snakemake.input.weights)
    encode = ImageEncoder(folder, cfg["kind"], cfg["precision"], resolve_device(runtime["device"]))
    features = extract(picture_clips(frames, cfg["fps"]), encode, encode.width, cfg["segments"], snakemake.params.actors)
    write_features(snakemake.output.store, features, provenance(snakemake.params, {"frames": frames}, PACKAGES, weights=weights))


if __name__ == "__main__":
    run(main, snakemake)
