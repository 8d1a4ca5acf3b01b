"""Pretrained weights: where they lie, how they are fetched, what is in them. Imports the hub client only to fetch."""

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from blemore.job import BadInput, disk_problem, lock
from blemore.settings import sha256

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
TORCHVISION_NAME = re.compile(r"swin3d_[tsb]")
FILES = ("*.json", "*.safetensors", "pytorch_model.bin", "*.pth")
STATED_DIGITS = re.compile(r"-([0-9a-f]{8})\.pth")  # of the SHA-256, in the names of torchvision's files


def offline() -> bool:
    """Whether the user forbids the hubs, in the words that huggingface_hub takes."""
    said = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return said.upper() in ("1", "ON", "YES", "TRUE")


def is_name(model: str) -> bool:
    """Whether a model is one to fetch, on the Hugging Face hub or of torchvision, and nothing local."""
    return bool(HUB_NAME.fullmatch(model) or TORCHVISION_NAME.fullmatch(model)) and not Path(model).exists()


def folder_of(model: str, revision: str, weights: str | Path) -> Path:
    """Where a checkpoint is: `model` itself if that is a folder or a file, else `{weights}/{org}--{name}--{revision}`."""
    return Path(model) if Path(model).exists() else Path(weights) / f"{model}--{revision}".replace("/", "--")


def describe(folder: Path, file: str | None = None) -> dict[str, dict[str, Any]]:
    """SHA-256 and size in bytes of each file that a model is loaded from, by name.

    Args:
        file: the only one, of a checkpoint that is a single file among others.
    """
    return {"sha256": {path.name: sha256(path) for path in _model_files(folder, file)}, "bytes": _sizes(folder, file)}


def local_sizes(model: str, description: str | Path, file: str | None = None) -> dict[str, int]:
    """Sizes of the files of a local checkpoint, which tell when it was replaced; nothing for a name on the hub.

    Args:
        file: see `describe`.
        description: what `describe` gave when the folder was last there; weights that are gone make nothing stale.
    """
    if is_name(model):
        return {}
    if Path(model).exists():
        return _sizes(Path(model), file)
    return json.loads(Path(description).read_text())["bytes"] if Path(description).is_file() else {}


def _model_files(folder: Path, file: str | None) -> list[Path]:
    patterns = (file,) if file else FILES
    return [folder] if folder.is_file() else sorted({path for pattern in patterns for path in folder.glob(pattern)})


def is_fetched(folder: Path, file: str | None = None) -> bool:
    """Whether a folder holds weights; it gets its name when they are whole."""
    return (folder / file).is_file() if file else (folder / "config.json").is_file() or any(folder.glob("*.pth"))


def _sizes(folder: Path, file: str | None) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in _model_files(folder, file)}


def open_folder(model: str, revision: str, weights: str | Path, description: str | Path, file: str | None = None) -> tuple[Path, dict[str, str]]:
    """The folder to load from, and the SHA-256 of its files.

    Args:
        file: see `describe`.

    Raises:
        BadInput: if its files are no longer those that were described.
    """
    folder, described = folder_of(model, revision, weights), json.loads(Path(description).read_text())
    if _sizes(folder, file) != described["bytes"]:
        raise BadInput(f"{folder} does not hold the weights that {description} describes; put them back, or delete {description} and run again.")
    return folder, described["sha256"]


def check_files(model: str, revision: str, weights: str | Path, description: str | Path, file: str | None = None) -> None:
    """Compares each file of a checkpoint with its SHA-256; one that is gone is not damaged, since features that are there need it no more.

    Args:
        file: see `describe`.

    Raises:
        BadInput: naming the files that are not those that were described.
    """
    folder, stated = folder_of(model, revision, weights), json.loads(Path(description).read_text())["sha256"]
    found = describe(folder, file)["sha256"] if folder.exists() else stated
    wrong = ", ".join(sorted(name for name in {*stated, *found} if stated.get(name) != found.get(name)))
    if wrong and is_name(model):
        raise BadInput(f"{folder} does not hold the weights that {description} describes ({wrong}); delete it and run `snakemake weights`.")
    if wrong:
        raise BadInput(f"{folder} does not hold the weights that {description} describes ({wrong}); put them back, or delete {description} and run again.")


def fetch(model: str, revision: str, weights: str | Path, file: str | None = None) -> Path:
    """The folder of a checkpoint, downloaded first where it is neither local nor fetched yet.

    Every file is compared with the SHA-256 that the hub states; an unfinished download is never taken for whole.

    Args:
        file: see `describe`.

    Raises:
        BadInput: if it cannot be had, naming the model and both ways on.
    """
    folder = folder_of(model, revision, weights)
    if Path(model).exists() or is_fetched(folder, file):
        return folder
    if not is_name(model):
        raise BadInput(f"{model} is neither a folder nor a name on the hub; mend features.*.model.")
    if offline():
        raise BadInput(f"the weights of {model} are not in {folder} and HF_HUB_OFFLINE=1: run `snakemake weights` where there is a network, or name a folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as locked:
        # Two encoders may share a checkpoint.
        lock(locked, locked.name)
        if not is_fetched(folder, file):
            _fetch_into(folder, model, revision, file)
    return folder


def _fetch_into(folder: Path, model: str, revision: str, file: str | None) -> None:
    partial = folder.with_name(folder.name + ".partial")
    try:
        if TORCHVISION_NAME.fullmatch(model):
            _download_torchvision(model, revision, partial)
        else:
            _download(model, revision, partial, (file,) if file else FILES)
        if not is_fetched(partial, file):
            raise OSError(f"the hub has no {file or 'config.json'} of it")
        _move(partial, folder)
    except Exception as error:  # the hub client raises its own, its HTTP client's and the system's errors
        if disk_problem(error):
            raise
        reason = " ".join(str(error).split())
        raise BadInput(
            f"the weights of {model} ({revision}) could not be fetched ({reason}); put them into {folder}, or name a folder in features.*.model."
        ) from error


def _move(partial: Path, folder: Path) -> None:
    if not folder.is_dir():
        os.replace(partial, folder)
        return
    # Another file of the same repository was fetched before.
    for path in partial.iterdir():
        os.replace(path, folder / path.name)
    partial.rmdir()


def _download(model: str, revision: str, folder: Path, files: tuple[str, ...]) -> None:
    from huggingface_hub import HfApi, snapshot_download

    info = HfApi().model_info(model, revision=revision, files_metadata=True)
    names = {file.rfilename for file in info.siblings or []}
    patterns = [pattern for pattern in files if not (pattern == "pytorch_model.bin" and "model.safetensors" in names)]
    snapshot_download(model, revision=info.sha, local_dir=folder, allow_patterns=patterns)
    for file in info.siblings or []:
        path = folder / file.rfilename
        if file.lfs and path.is_file() and sha256(path) != file.lfs.sha256:
            raise OSError(f"{file.rfilename} does not have the SHA-256 that the hub states")
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    (folder / "revision.txt").write_text(f"{info.sha}\n")


def _download_torchvision(model: str, revision: str, folder: Path) -> None:
    from torch.hub import download_url_to_file
    from torchvision.models import get_model_weights

    known = get_model_weights(model).__members__
    if revision not in known:
        raise OSError(f"torchvision has {', '.join(known)} of it")
    url = known[revision].url
    digits = STATED_DIGITS.search(url)
    if not digits:
        raise OSError(f"{url} states no SHA-256")
    folder.mkdir(parents=True, exist_ok=True)
    download_url_to_file(url, str(folder / Path(url).name), hash_prefix=digits[1], progress=False)
