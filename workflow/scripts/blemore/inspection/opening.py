"""What lies at a path: its kind, its manifest, what determined its numbers, and the arrays of one clip or all."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from blemore.job import BadInput
from blemore.stores import Features, Probabilities, manifest_path, read_features, read_manifest, read_probabilities

KINDS = {
    "features": "one vector per clip",
    "probabilities": "predictions of one head for one fold",
    "track": "the face of one person in every frame",
    "faces": "aligned face crops",
    "body": "frames of the picture with the person's box",
    "audio": "mono sound, aligned with the video",
    "clips": "short MP4 clips",
    "head": "parameters of a trained head",
    "weights": "description of pretrained weights",
}
FRAME_KINDS = ("faces", "body")
FOLDER_KINDS = {"audio": ".flac", "clips": ".mp4"}


class Store(NamedTuple):
    """A store with all that stands beside it; empty where a kind has no such thing."""

    path: Path
    kind: str
    manifest: dict[str, Any]
    attributes: dict[str, Any]  # what determined the numbers
    record: dict[str, Any]  # when, where and how long


def open_store(path: str | Path) -> Store:
    """Recognises a store by its content; the manifest stands for the store that it describes.

    Raises:
        BadInput: if nothing that can be inspected is there, or the manifest is absent.
    """
    path = _described(Path(path))
    for recognise in (_zarr, _hdf5, _folder, _head, _weights):
        if found := recognise(path):
            kind, attributes = found
            manifest = {} if kind in ("head", "weights") else read_manifest(path)
            return Store(path, kind, manifest, attributes, _json(manifest_path(path).with_suffix(".run.json")))
    raise BadInput(f"{path} is none of {', '.join(KINDS)}; name a store under results/, or ask why_stale.py what made another file.")


def _described(path: Path) -> Path:
    if path.suffix == ".json" and "content_sha256" in _json(path):
        stores = [path.with_suffix(suffix) for suffix in (".zarr", ".h5", "") if path.with_suffix(suffix).exists()]
        if not stores:
            raise BadInput(f"{path} describes a store that is not there; delete it and run again.")
        return stores[0]
    if not path.exists():
        raise BadInput(f"{path} is not there; `why_stale.py {path}` says whether the workflow would make it.")
    return path


def _zarr(path: Path) -> tuple[str, dict[str, Any]] | None:
    described = _json(path / "zarr.json")
    members = {entry.name for entry in path.iterdir()} if described else set()
    kind = next((kind for kind, member in (("features", "embedding"), ("probabilities", "probability")) if member in members), None)
    return (kind, described.get("attributes", {})) if kind else None


def _hdf5(path: Path) -> tuple[str, dict[str, Any]] | None:
    import h5py

    from blemore.media import shard

    if path.is_dir() or not h5py.is_hdf5(path):
        return None
    with shard.open_store(path) as store:
        arrays = {name for clip in store.values() for name in clip}
        kind = "track" if "landmarks" in arrays else "body" if {"jpeg", "boxes"} <= arrays else "faces" if "jpeg" in arrays else path.parent.name
        return (kind, json.loads(store.attrs.get("provenance", "{}"))) if kind in KINDS else None


def _folder(path: Path) -> tuple[str, dict[str, Any]] | None:
    if not (path / "provenance.json").is_file():
        return None
    kind = next((kind for kind, suffix in FOLDER_KINDS.items() if any(path.glob(f"*{suffix}"))), path.parent.name)
    return (kind, _json(path / "provenance.json")) if kind in FOLDER_KINDS else None


def _head(path: Path) -> tuple[str, dict[str, Any]] | None:
    if path.suffix != ".safetensors":
        return None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy"):
            # Its job wrote predictions too, and they say what determined them.
            predictions = Path(str(path).replace("/heads/", "/probabilities/")).with_suffix(".zarr")
            return "head", _json(predictions / "zarr.json").get("attributes", {})
    except SafetensorError as error:
        raise BadInput(f"{path} is damaged ({error}); delete it and run again.") from None


def _weights(path: Path) -> tuple[str, dict[str, Any]] | None:
    described = _json(path) if path.suffix == ".json" else {}
    return ("weights", {}) if {"sha256", "bytes"} <= described.keys() else None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def clips_of(store: Store) -> list[str]:
    """Ids of the clips, in the order of the store; none for heads and weights."""
    return list(store.manifest.get("clips", []))


def columns(store: Store) -> Features | Probabilities:
    """All arrays of a Zarr store, compared with the digest of its manifest."""
    return read_features(store.path) if store.kind == "features" else read_probabilities(store.path)


def tensors(store: Store) -> dict[str, NDArray]:
    """The parameters of a head by name, compared with their digest."""
    from blemore.classify.tensors import read_tensors

    return read_tensors(store.path)


def groups(store: Store, only: str | None = None) -> Iterator[tuple[str, str, dict[str, NDArray]]]:
    """Clip, status and arrays of an HDF5 store; JPEGs as they are kept, an array of bytes for each frame.

    Raises:
        BadInput: if the store is damaged, or differs from its manifest in a clip.
    """
    from blemore.media.shard import open_clips

    with open_clips(store.path) as group_of:
        for clip in [only] if only else clips_of(store):
            group = group_of(clip)
            yield clip, str(group.attrs["status"]), {name: dataset[...] for name, dataset in group.items()}


def check_clip(store: Store, clip: str) -> None:
    """Refuses a clip that the store does not hold, with the nearest names."""
    from blemore.problems import did_you_mean

    known = clips_of(store)
    if clip not in known:
        near = did_you_mean(clip, known) if len(known) < 5000 else ""
        raise BadInput(f"{store.path} has no clip {clip}: {near if 0 < len(near) < 200 else f'name one of {len(known)} clips; its manifest lists them.'}")


def file_of(store: Store, clip: str) -> Path:
    """The file of a clip in a folder of sounds or clips; it may be absent, as the clip's status says."""
    return store.path / f"{clip}{FOLDER_KINDS[store.kind]}"
