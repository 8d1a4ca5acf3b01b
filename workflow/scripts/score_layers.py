"""The layer curve: nested scores of the default head on every layer and range, as a table and a figure."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib import rcParams
from matplotlib.figure import Figure

from blemore.data.labels import percentages
from blemore.data.sheet import read_checked_sheet
from blemore.fusion.curve import curve
from blemore.fusion.predictions import rows_of, write_table
from blemore.fusion.protocols import OutOfFold
from blemore.job import run
from blemore.stores import provenance, write_json

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    params = snakemake.params
    sheet = read_checked_sheet(snakemake.input.sheet)
    train = sheet[sheet["split"] == "train"]
    stores = dict(zip(params.layers, snakemake.input.stores, strict=True))
    clips, truth = train["filename"].tolist(), percentages(train)
    fold, actor = train["fold"].to_numpy(int), train["video_id"].to_numpy(str)
    layers = {name: OutOfFold(np.array([rows_of(store, "scored", clips)]), truth, fold, actor) for name, store in stores.items()}
    stopped = params.classify["early_stopping"] == "paper"
    rows = curve(layers, params.reference, params.cfg["thresholds"], params.cfg["resamples"], stopped)
    draw(snakemake.output.figure, rows, params.encoder)
    made = provenance(params, stores, ("numpy", "scipy"))
    write_json(snakemake.output.scores, {"encoder": params.encoder, "rows": rows, "provenance": made})
    write_table(snakemake.output.table, pd.DataFrame(rows))


def draw(path: str, rows: list[dict[str, Any]], encoder: str) -> None:
    """Score of each single layer with its interval, and of each range as a line over its layers."""
    rcParams["svg.hashsalt"] = "layer_curve"  # else its ids are drawn at random
    figure = Figure(figsize=(8, 4))
    axes = figure.subplots()
    singles, ranges = ([row for row in rows if ("-" in row["layers"]) is wide] for wide in (False, True))
    scores = [row["Score"] for row in singles]
    around = [[row["Score"] - row["Score_low"] for row in singles], [row["Score_high"] - row["Score"] for row in singles]]
    axes.errorbar([int(row["layers"]) for row in singles], scores, np.maximum(around, 0), fmt="o", capsize=2, label="single layers")
    for row in ranges:
        first, last = map(int, row["layers"].split("-"))
        axes.plot([first, last], [row["Score"]] * 2, label=f"mean of {row['layers']}")
    axes.set(xlabel="hidden layer (0: input of layer 1)", ylabel="nested Score, 95 % interval by actors", title=encoder)
    axes.legend()
    figure.savefig(path, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    run(main, snakemake)
