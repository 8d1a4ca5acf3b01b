"""New clips by every model of one exported encoder that was fine-tuned."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blemore.data.labels import EMOTIONS
from blemore.finetune import bodies, faces, speech
from blemore.finetune.clips import find_sources
from blemore.finetune.job import PACKAGES, machine_of
from blemore.finetune.recipes import resolve
from blemore.finetune.trainer import evaluation_loader, predict
from blemore.job import run
from blemore.learning import mean_log_probability
from blemore.prediction.system import open_system
from blemore.stores import STATUSES, Probabilities, provenance, write_json, write_probabilities
from blemore.torch_setup import deterministic

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

MODULES: dict[str, Any] = {"s4d": faces, "videomae": bodies, "timesformer": bodies, "wav2vec2_finetuned": speech}


def main(snakemake) -> None:
    deterministic()
    params, encoder = snakemake.params, snakemake.wildcards.encoder
    settings = resolve(params.recipe[encoder])
    module, machine = MODULES[settings["kind"]], machine_of(settings, params.runtime)
    system = open_system(Path(snakemake.input.system).parent)
    system.check(f"finetune/{encoder}/")
    sources = find_sources(params.clips, snakemake.input.media)
    usable = [source for source in sources if source.usable]
    attributes = provenance(params, {Path(store).stem: store for store in snakemake.input.media}, PACKAGES, precision=machine.precision)
    for model, store in zip(system.models, snakemake.output.stores, strict=True):
        predicted = []
        for seed in settings["seeds"]:
            folder = Path(system.path(f"finetune/{encoder}/{model}/seed{seed}"))
            network = module.open_trained(settings, folder).to(machine.device)
            views = evaluation_loader(module.media(settings, folder), usable, settings["training"]["batch_size"], machine.workers)
            predicted.append(predict(network, views, machine))
        logit = np.full((len(sources), len(EMOTIONS)), np.nan, np.float32)
        logit[[source.usable for source in sources]] = mean_log_probability(predicted)
        rows = Probabilities(np.exp(logit), [source.clip for source in sources], ["test"] * len(sources), logit)
        write_probabilities(store, rows, EMOTIONS, attributes, [source.status for source in sources])
    write_json(snakemake.output.status, {source.clip: STATUSES[source.status] for source in sources})


if __name__ == "__main__":
    run(main, snakemake)
