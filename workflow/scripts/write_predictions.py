"""The decision, the six probabilities and the confidence of a system for every new clip."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blemore.data.emotions import EMOTIONS
from blemore.fusion.predictions import mean_predictions, write_table
from blemore.job import run
from blemore.prediction.predictions import CONFIDENCE, LEFT_OUT, chosen_fusion, fuse_members, records, table
from blemore.stores import provenance, write_json

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    params, files = snakemake.params, snakemake.params.files
    members = [tuple(member) for member in params.cfg["members"]]
    of_member = {tuple(member): snakemake.input.stores[row * params.models : (row + 1) * params.models] for row, member in enumerate(params.members)}
    nothing = np.full((len(files), len(EMOTIONS)), np.nan)
    probabilities = [mean_predictions(of_member[member], list(files)) if member in of_member else nothing for member in members]
    outcome = fuse_members(np.array(probabilities), [encoder for encoder, _ in members], chosen_fusion(params.cfg["chosen"]))
    # Heads of the same encoder have the same status.
    known = {member[0]: json.loads(Path(path).read_text()) for member, path in zip(of_member, snakemake.input.statuses, strict=True)}
    status = {encoder: known.get(encoder, dict.fromkeys(files, LEFT_OUT)) for encoder, _ in members}
    write_table(snakemake.output.table, table(files, outcome, status))
    content = {
        "system": params.cfg,
        "left_out": [encoder for encoder in status if encoder not in known],
        "confidence": CONFIDENCE,
        "clips": records(files, outcome, status),
        "provenance": provenance(params, {store: store for store in snakemake.input.stores}, ("numpy", "scipy")),
    }
    write_json(snakemake.output.predictions, content)


if __name__ == "__main__":
    run(main, snakemake)
