"""One fine-tuned encoder for one fold, or for all clips: from the media of all shards to weights and probabilities."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from blemore.data.labels import EMOTIONS, teaching_labels
from blemore.data.sheet import read_checked_sheet
from blemore.data.splits import INNER, SCORED, TEST, TRAIN, labels_digest, split_clips
from blemore.features.weights import open_folder
from blemore.finetune.checkpoints import finish_checkpoint
from blemore.finetune.clips import Media, Source, find_sources
from blemore.finetune.progress import Progress
from blemore.finetune.recipes import resolve
from blemore.finetune.resume import Resume
from blemore.finetune.trainee import Trainee
from blemore.finetune.trainer import Examples, Machine, Trainer, evaluation_loader, predict
from blemore.job import BadInput
from blemore.learning import Score, epochs_of, mean_log_probability, save_history
from blemore.stores import Probabilities, provenance, write_probabilities
from blemore.torch_setup import deterministic, resolve_device, resolve_precision

RETRAINED = "retrained"
PACKAGES = ("numpy", "opencv-python-headless", "timm", "torch", "transformers")

Build = Callable[[Mapping[str, Any], Path], Trainee]
ReadMedia = Callable[[Mapping[str, Any], Path], Media]


class Dataset(NamedTuple):
    """All clips of the sheet, in its order."""

    sources: list[Source]
    y: NDArray[np.float32]
    part: NDArray[np.str_]

    def rows(self, part: str) -> list[int]:
        """Usable clips of a part."""
        return [row for row, source in enumerate(self.sources) if source.usable and self.part[row] == part]


def fine_tune(snakemake: Any, build: Build, media: ReadMedia, score: Score) -> None:
    """What the script of every kind does.

    Args:
        snakemake: inputs `stores` (of all shards), `sheet`, `weights`, `histories` (of the folds, where the model is retrained on all clips);
            outputs `store`, `weights`, `history`; params `cfg`, `recipe`, `code`, `runtime`; wildcards `encoder` and `model` (`fold0` or `retrained`).
        build, media: make the network and what reads its input, from settings and the folder of the checkpoint.
    """
    params, name = snakemake.params, snakemake.wildcards.encoder
    deterministic()
    given = params.recipe[name]
    settings = resolve(given)
    folder, weights = open_folder(given["model"], given["revision"], params.runtime["weights"], snakemake.input.weights, given.get("file"))
    data = dataset(read_checked_sheet(snakemake.input.sheet), snakemake.input.stores, snakemake.wildcards.model, params.cfg["early_stopping"])
    machine = machine_of(settings, params.runtime)
    epochs = _epochs(snakemake.input.histories)
    made = {
        "recipe": given,
        "weights": weights,
        "labels_sha256": labels_digest([source.clip for source in data.sources], data.y, data.part),
        "precision": machine.precision,
        "epochs": {str(seed): number for seed, number in epochs.items()},
    }
    attributes = provenance(params, {Path(store).stem: store for store in snakemake.input.stores}, PACKAGES, **made)
    inputs = media(settings, folder)
    shutil.rmtree(snakemake.output.weights, ignore_errors=True)
    histories, predicted, resumes = {}, [], []
    for seed in given["seeds"]:
        torch.manual_seed(seed)
        trainee = build(settings, folder)
        resumes.append(Resume(params.runtime["resume"], {**attributes, "seed": seed}))
        progress = Progress(Path(snakemake.log[0]).with_suffix("") / f"seed{seed}")
        trainer = Trainer(
            trainee, inputs, examples(data, params.cfg["early_stopping"]), settings, seed, score, machine, resumes[-1], progress, epochs.get(seed)
        )
        histories[seed] = trainer.run()
        progress.close()
        saved = Path(snakemake.output.weights) / f"seed{seed}"
        saved.mkdir(parents=True)
        trainee.save(trainer.judged, saved)
        usable = [source for source in data.sources if source.usable]
        predicted.append(predict(trainer.judged, evaluation_loader(inputs, usable, settings["training"]["batch_size"], machine.workers), machine))
    finish_checkpoint(Path(snakemake.output.weights))
    save_history(snakemake.output.history, histories)
    write_probabilities(snakemake.output.store, predictions(data, predicted), EMOTIONS, attributes, [source.status for source in data.sources])
    for resume in resumes:
        resume.finish()


def machine_of(settings: Mapping[str, Any], runtime: Mapping[str, Any]) -> Machine:
    """Where a network runs; a GPU has processes beside it that read clips."""
    device = resolve_device(runtime["device"])
    return Machine(device, resolve_precision(settings["training"]["precision"], device), runtime["loader_workers"] if device == "cuda" else 0)


def dataset(sheet: pd.DataFrame, stores: Sequence[str], model: str, early_stopping: str) -> Dataset:
    """The clips of the sheet with the part that each has in the model of a fold, or in the one retrained on all."""
    of_all = np.where(sheet["split"] == "test", TEST, TRAIN)
    part = of_all if model == RETRAINED else split_clips(sheet, int(model.removeprefix("fold")), early_stopping)
    return Dataset(find_sources(sheet["filename"].tolist(), stores), teaching_labels(sheet), part)


def examples(data: Dataset, early_stopping: str) -> Examples:
    """The clips that teach and those that stop.

    Raises:
        BadInput: if fewer than two could teach.
    """
    train, stop = data.rows(TRAIN), data.rows(SCORED if early_stopping == "paper" else INNER)
    if len(train) < 2:
        raise BadInput(f"only {len(train)} clips are left to train on; more folds, actors or readable clips are needed.")
    return Examples([data.sources[row] for row in train], data.y[train], [data.sources[row] for row in stop], data.y[stop])


def predictions(data: Dataset, predicted: Sequence[NDArray[np.float32]]) -> Probabilities:
    """Mean over seeds for the usable clips, NaN for all others."""
    logit = np.full((len(data.sources), len(EMOTIONS)), np.nan, np.float32)
    logit[[source.usable for source in data.sources]] = mean_log_probability(predicted)
    return Probabilities(np.exp(logit), [source.clip for source in data.sources], [str(part) for part in data.part], logit)


def _epochs(histories: Sequence[str]) -> dict[int, int]:
    return epochs_of([json.loads(Path(path).read_text()) for path in histories]) if histories else {}
