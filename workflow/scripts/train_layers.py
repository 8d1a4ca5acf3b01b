"""The default head on one layer or range of a layer curve: each clip as the head of its own fold predicts it."""

from typing import TYPE_CHECKING

import numpy as np

from blemore.classify.data import align
from blemore.classify.training import train_and_predict
from blemore.data.labels import EMOTIONS
from blemore.data.sheet import read_checked_sheet
from blemore.data.splits import SCORED, labels_digest, split_clips
from blemore.features.gather import check_failures, concatenate
from blemore.fusion.thresholds import best_grid_score
from blemore.job import run
from blemore.memory import keep_freed_memory
from blemore.stores import Features, Probabilities, provenance, read_attributes, read_features, write_probabilities
from blemore.torch_setup import deterministic

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    params, stores, layers = snakemake.params, snakemake.input.stores, snakemake.wildcards.layers
    (recipe,) = params.recipe.values()
    deterministic()
    keep_freed_memory()
    features = concatenate([of_layers(store, layers) for store in stores])
    check_failures(features, params.limit["max_failed_fraction"])
    sheet = read_checked_sheet(snakemake.input.sheet)
    folds = sorted(int(fold) for fold in sheet.loc[sheet["split"] == "train", "fold"].unique())
    datasets = [align(sheet, features, split_clips(sheet, fold, params.cfg["early_stopping"])) for fold in folds]
    parts = [scored(train_and_predict(data, params.cfg, recipe, best_grid_score)[0]) for data in datasets]
    labels = {str(fold): labels_digest(data.clip, data.y, data.part) for fold, data in zip(folds, datasets)}
    inputs = {f"shard{number}": store for number, store in enumerate(stores)}
    attributes = provenance(params, inputs, ("numpy", "scikit-learn", "torch"), recipe=recipe, labels_sha256=labels)
    write_probabilities(snakemake.output.store, joined(parts), EMOTIONS, attributes)


def of_layers(store: str, layers: str) -> Features:
    """The rows of one layer or range of a shard."""
    features, index = read_features(store), read_attributes(store)["layers"].index(layers)
    return features._replace(embedding=features.embedding[:, index])


def scored(rows: Probabilities) -> Probabilities:
    """The clips of the scored fold alone."""
    kept = [index for index, split in enumerate(rows.split) if split == SCORED]
    return Probabilities(rows.probability[kept], [rows.clip[index] for index in kept], [SCORED] * len(kept), rows.logit[kept])


def joined(parts: list[Probabilities]) -> Probabilities:
    """The folds beneath each other."""
    clips = [clip for part in parts for clip in part.clip]
    return Probabilities(np.concatenate([part.probability for part in parts]), clips, [SCORED] * len(clips), np.concatenate([part.logit for part in parts]))


if __name__ == "__main__":
    run(main, snakemake)
