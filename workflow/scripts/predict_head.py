"""New clips by every model of one exported head."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blemore.classify.saved import predict_head
from blemore.data.labels import EMOTIONS
from blemore.job import run
from blemore.prediction.system import open_system
from blemore.stores import STATUSES, USABLE, Probabilities, provenance, read_features, write_json, write_probabilities
from blemore.torch_setup import deterministic

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    deterministic()
    params, wildcards = snakemake.params, snakemake.wildcards
    recipe = params.recipe[wildcards.head]
    system = open_system(Path(snakemake.input.system).parent)
    system.check(f"heads/{wildcards.encoder}/{wildcards.head}/")
    features = read_features(snakemake.input.store)
    usable = np.isin(features.status, USABLE)
    attributes = provenance(params, {"features": snakemake.input.store}, ("numpy", "scikit-learn", "torch"), recipe=recipe)
    for head, store in zip(snakemake.input.heads, snakemake.output.stores, strict=True):
        logit = np.full((len(usable), len(EMOTIONS)), np.nan, np.float32)
        if usable.any():
            logit[usable] = predict_head(head, recipe, features.embedding[usable])
        rows = Probabilities(np.exp(logit), features.clip, ["test"] * len(usable), logit)
        write_probabilities(store, rows, EMOTIONS, attributes, features.status.tolist())
    write_json(snakemake.output.status, {clip: STATUSES[status] for clip, status in zip(features.clip, features.status)})


if __name__ == "__main__":
    run(main, snakemake)
