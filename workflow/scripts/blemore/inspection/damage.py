"""Whether stores still hold what was written: everything is read once more and compared with its manifest."""

import json
from collections.abc import Iterator
from pathlib import Path

from blemore.inspection.opening import FOLDER_KINDS, open_store
from blemore.job import BadInput
from blemore.media.shard import folder_digest, store_digest
from blemore.stores import read_features, read_manifest, read_probabilities

READERS = {"features": read_features, "probabilities": read_probabilities}


def manifests(results: Path) -> Iterator[Path]:
    """Of every finished store below a folder, sorted; one that cannot be read counts."""
    for path in sorted(results.rglob("*.json")):
        inside = any(parent.suffix == ".zarr" for parent in path.parents)
        if not inside and not path.name.endswith(".run.json") and _may_be_manifest(path):
            yield path


def _may_be_manifest(path: Path) -> bool:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return any(path.with_suffix(suffix).exists() for suffix in (".zarr", ".h5", ""))
    return isinstance(content, dict) and "content_sha256" in content


def damage(manifest: Path) -> str | None:
    """One sentence on what is wrong with a store and how it is made again, or None where it is whole."""
    try:
        read_manifest(manifest.with_suffix(""))
        store = open_store(manifest)
        if store.kind in READERS:
            READERS[store.kind](store.path)
        elif _digest(store.path, store.kind, store.manifest["status"]) != store.manifest["content_sha256"]:
            raise BadInput(f"{store.path} does not hold what its manifest {manifest} says; delete both and run again.")
    except BadInput as error:
        return str(error)
    except Exception as error:  # HDF5 and Zarr raise all kinds over damaged bytes
        return f"{manifest} or the store beside it is damaged ({type(error).__name__}: {error}); delete both and run again."
    return None


def _digest(path: Path, kind: str, status: dict[str, str]) -> str:
    return folder_digest(path, FOLDER_KINDS[kind], status) if kind in FOLDER_KINDS else store_digest(path, list(status))
