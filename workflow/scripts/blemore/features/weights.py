"""Pretrained weights: where they lie, how they are fetched, what is in them. Imports the hub client only to fetch."""

import hashlib
import os
import shutil
from pathlib import Path

from blemore.job import BadInput

FILES = ("*.json", "*.safetensors", "pytorch_model.bin")


def folder_of(model: str, revision: str, weights: str | Path) -> Path:
    """The folder of a checkpoint: `model` itself if that is one, else `{weights}/{org}--{name}--{revision}`."""
    return Path(model) if Path(model).is_dir() else Path(weights) / f"{model.replace('/', '--')}--{revision}"


def describe(folder: Path) -> dict[str, str]:
    """SHA-256 of each file that a model is loaded from, by name."""
    files = sorted({path for pattern in FILES for path in folder.glob(pattern)})
    return {path.name: sha256(path) for path in files}


def sha256(path: Path) -> str:
    """SHA-256 of a file of any size."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(model: str, revision: str, weights: str | Path) -> Path:
    """The folder of a checkpoint, downloaded first where it is neither local nor fetched yet.

    Every file is compared with the SHA-256 that the hub states; an unfinished download is never taken for whole.

    Raises:
        BadInput: if it cannot be had, naming the model and both ways on.
    """
    folder = folder_of(model, revision, weights)
    if (folder / "config.json").is_file():
        return folder
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        raise BadInput(f"the weights of {model} are not in {folder} and HF_HUB_OFFLINE=1: run `snakemake weights` where there is a network, or name a folder.")
    partial = folder.with_name(folder.name + ".partial")
    try:
        _download(model, revision, partial)
    except OSError as error:
        raise BadInput(
            f"the weights of {model} ({revision}) could not be fetched ({error}); put them into {folder}, or name a folder in features.*.model."
        ) from error
    os.replace(partial, folder)
    return folder


def _download(model: str, revision: str, folder: Path) -> None:
    from huggingface_hub import HfApi, snapshot_download

    info = HfApi().model_info(model, revision=revision, files_metadata=True)
    names = {file.rfilename for file in info.siblings or []}
    patterns = [pattern for pattern in FILES if not (pattern == "pytorch_model.bin" and "model.safetensors" in names)]
    snapshot_download(model, revision=info.sha, local_dir=folder, allow_patterns=patterns)
    for file in info.siblings or []:
        path = folder / file.rfilename
        if file.lfs and path.is_file() and sha256(path) != file.lfs.sha256:
            raise OSError(f"{file.rfilename} does not have the SHA-256 that the hub states")
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    (folder / "revision.txt").write_text(f"{info.sha}\n")
