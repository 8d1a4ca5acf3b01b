"""A trained ensemble in one folder, which predicts on another machine."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from blemore.fusion.scores import read_scores
from blemore.job import run
from blemore.prediction.export import copy_preprocessing, copy_trained, needed_weights, write_system
from blemore.prediction.system import versions, without_agreement

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    params, folder = snakemake.params, Path(snakemake.output.system)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    copy_trained(folder, [*snakemake.input.heads, *snakemake.input.checkpoints])
    copy_preprocessing(folder, params.features, params.runtime["weights"])
    scores = read_scores(snakemake.input.scores)
    described = {path: json.loads(Path(path).read_text()) for path in snakemake.input.weights}
    content = {
        "ensemble": snakemake.wildcards.ensemble,
        "members": params.members,
        "models": params.models,
        "chosen": scores["chosen"] | params.cfg,
        "settings": {"media": params.media, "features": without_agreement(params.features), "concatenations": params.concatenations, "heads": params.heads},
        "weights": needed_weights(snakemake.input.weights, described),
        **versions(),
    }
    write_system(folder, content)


if __name__ == "__main__":
    run(main, snakemake)
