"""One head of one encoder on all labelled clips, for as many epochs as its folds took, to predict the test clips."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blemore.classify.data import align
from blemore.classify.training import train_and_predict, write_results
from blemore.data.sheet import read_checked_sheet
from blemore.data.splits import TEST, TRAIN, labels_digest
from blemore.fusion.thresholds import best_grid_score
from blemore.job import run
from blemore.learning import epochs_of
from blemore.memory import keep_freed_memory
from blemore.stores import provenance, read_features
from blemore.torch_setup import deterministic

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    cfg, recipe = snakemake.params.cfg, snakemake.params.recipe[snakemake.wildcards.head]
    deterministic()
    keep_freed_memory()
    sheet = read_checked_sheet(snakemake.input.sheet)
    data = align(sheet, read_features(snakemake.input.store), np.where(sheet["split"] == "test", TEST, TRAIN))
    epochs = epochs_of([json.loads(Path(path).read_text()) for path in snakemake.input.histories])
    rows, members, scaler = train_and_predict(data, cfg, recipe, best_grid_score, epochs)
    made = {"recipe": recipe, "labels_sha256": labels_digest(data.clip, data.y, data.part), "epochs": {str(seed): number for seed, number in epochs.items()}}
    attributes = provenance(snakemake.params, {"features": snakemake.input.store}, ("numpy", "scikit-learn", "torch"), **made)
    write_results(snakemake.output, rows, members, scaler, attributes)


if __name__ == "__main__":
    run(main, snakemake)
