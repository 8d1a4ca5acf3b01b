"""Whether results still hold what was written: everything is read once more and compared with its digest."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from blemore.classify.tensors import read_tensors
from blemore.features.weights import check_files
from blemore.finetune.checkpoints import check_checkpoint
from blemore.fusion.scores import read_scores
from blemore.inspection.opening import FOLDER_KINDS, open_store
from blemore.job import BadInput
from blemore.media.shard import read_folder, store_digest
from blemore.prediction import system
from blemore.stores import read_features, read_manifest, read_probabilities

READERS = {"features": read_features, "probabilities": read_probabilities}
Checks = Iterator[tuple[Path, Callable[[], Any]]]


def checks(results: Path, config: Mapping[str, Any]) -> Checks:
    """Each finished store, fused scores with their tables, head, fine-tuned checkpoint, exported system and pretrained checkpoint with what reads it again.

    Args:
        config: the whole configuration, which says where pretrained weights lie.
    """
    for manifest in manifests(results):
        yield manifest, partial(_check_store, manifest)
    for scores in sorted(results.glob("fusion/*/scores.json")):
        yield scores, partial(read_scores, scores)
    for head in sorted(results.glob("heads/*/*/*.safetensors")):
        yield head, partial(read_tensors, head)
    for checkpoint in sorted(path for path in results.glob("finetune/*/*") if path.is_dir()):
        yield checkpoint, partial(check_checkpoint, checkpoint)
    for file in sorted(results.glob(f"system/*/{system.FILE}")):
        yield file, partial(_check_system, file.parent)
    for description in sorted(results.glob("weights/*.json")):
        if "model" in (encoder := config["features"].get(description.stem, {})):
            place = encoder["model"], encoder["revision"], config["runtime"]["weights"]
            yield description, partial(check_files, *place, description, encoder.get("file"))


def damage(path: Path, check: Callable[[], Any]) -> str | None:
    """One sentence on what is wrong and how it is made again, or None where all is whole."""
    try:
        check()
    except BadInput as error:
        return str(error)
    except Exception as error:  # HDF5 and Zarr raise all kinds over damaged bytes
        return f"{path} or the store beside it is damaged ({type(error).__name__}: {' '.join(str(error).split())}); delete both and run again."
    return None


def manifests(results: Path) -> Iterator[Path]:
    """Of every finished store below a folder, sorted; one that cannot be read counts."""
    for path in sorted(results.rglob("*.json")):
        inside = any(parent.suffix == ".zarr" for parent in path.parents)
        if not inside and not path.name.endswith(".run.json") and path.name != system.FILE and _may_be_manifest(path):
            yield path


def _may_be_manifest(path: Path) -> bool:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return any(path.with_suffix(suffix).exists() for suffix in (".zarr", ".h5", ""))
    return isinstance(content, dict) and "content_sha256" in content


def _check_store(manifest: Path) -> None:
    read_manifest(manifest.with_suffix(""))
    store = open_store(manifest)
    if store.kind in READERS:
        READERS[store.kind](store.path)
    elif store.kind in FOLDER_KINDS:
        read_folder(store.path, FOLDER_KINDS[store.kind])
    elif store_digest(store.path, store.manifest["clips"]) != store.manifest["content_sha256"]:
        raise BadInput(f"{store.path} does not hold what its manifest {manifest} says; delete both and run again.")


def _check_system(folder: Path) -> None:
    system.open_system(folder).check("")
