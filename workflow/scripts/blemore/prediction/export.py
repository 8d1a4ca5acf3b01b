"""Writes a trained system into one folder."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from blemore.classify.tensors import read_tensors
from blemore.features.kinds import PREPROCESSING
from blemore.features.weights import folder_of
from blemore.finetune.checkpoints import check_checkpoint
from blemore.job import BadInput
from blemore.prediction.system import FILE, SCHEMA_VERSION
from blemore.settings import folder_sha256, json_sha256
from blemore.stores import write_json


def copy_trained(folder: Path, paths: Iterable[str]) -> None:
    """Copies heads and checkpoints to the same place below the folder as below `results`.

    Raises:
        BadInput: if one is damaged.
    """
    for source in map(Path, paths):
        target = folder.joinpath(*source.parts[source.parts.index("results") + 1 :])
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            check_checkpoint(source)
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(".snakemake_timestamp"))
        else:
            read_tensors(source)
            shutil.copy(source, target)


def copy_preprocessing(folder: Path, features: Mapping[str, Mapping[str, Any]], weights: str | Path) -> None:
    """Puts the small files that say how pictures are prepared beside the checkpoints that were fine-tuned.

    Raises:
        BadInput: if the pretrained checkpoint, which they come with, is gone.
    """
    for checkpoint in sorted((folder / "finetune").glob("*/*/seed*")):
        encoder = features[checkpoint.parts[-3]]
        pretrained = folder_of(encoder["model"], encoder["revision"], weights)
        for name in PREPROCESSING.get(encoder["kind"], ()):
            if not (pretrained / name).is_file():
                raise BadInput(f"{pretrained / name} is not there, and a system needs it to prepare its pictures; put the checkpoint back and run again.")
            shutil.copy(pretrained / name, checkpoint / name)


def write_system(folder: Path, content: Mapping[str, Any]) -> None:
    """Writes system.json, last, with the SHA-256 of every other file and of itself."""
    whole = {"schema_version": SCHEMA_VERSION, **content, "files": folder_sha256(folder)}
    write_json(folder / FILE, {**whole, "content_sha256": json_sha256(whole)})


def needed_weights(descriptions: Sequence[str], described: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Encoder -> file -> SHA-256 of the pretrained weights that it takes; they are not copied, for their licences and their size."""
    return {Path(path).stem: dict(described[path]["sha256"]) for path in descriptions}
