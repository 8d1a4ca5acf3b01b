"""One head of one encoder for one fold: training and all predictions."""

from typing import TYPE_CHECKING

from blemore.classify.data import align
from blemore.classify.training import train_and_predict, used_scored_fold, write_results
from blemore.data.sheet import read_checked_sheet
from blemore.data.splits import labels_digest, split_clips
from blemore.fusion.thresholds import best_grid_score
from blemore.job import run
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
    part = split_clips(sheet, int(snakemake.wildcards.fold), cfg["early_stopping"])
    data = align(sheet, read_features(snakemake.input.store), part)
    rows, members, scaler = train_and_predict(data, cfg, recipe, best_grid_score, with_scored=True)
    made = {"recipe": recipe, "labels_sha256": labels_digest(data.clip, data.y, data.part), "fold": int(snakemake.wildcards.fold)}
    attributes = provenance(snakemake.params, {"features": snakemake.input.store}, ("numpy", "scikit-learn", "torch"), **made)
    write_results(snakemake.output, rows, members, scaler, attributes, used_scored_fold(data, members))


if __name__ == "__main__":
    run(main, snakemake)
