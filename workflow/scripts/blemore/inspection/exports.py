"""Stores in other people's formats: arrays, tables, the organisers' aggregated features, and one zip that can be checked and read elsewhere."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from blemore.data.emotions import EMOTIONS
from blemore.inspection.description import describe
from blemore.inspection.opening import Store, clips_of, columns, groups, tensors
from blemore.job import BadInput
from blemore.stores import STATUSES, USABLE, manifest_path, read_features

PICTURED = ("faces", "body", "clips")
READ_ME = """{kind}
provenance.json says what made it.{clips}
{reading}
"""
CLIPS = " Of {clips} clips, {manifest} holds the ids and statuses, and the digest of their content."
READING = {
    "features": "xarray.open_zarr opens the store; named as `train` of an encoder of kind `provided`, this workflow takes its vectors elsewhere.",
    "probabilities": "xarray.open_zarr opens the store.",
    "head": "safetensors.numpy.load_file opens it.",
    "weights": "It is JSON: the weights themselves stay where they are, and their digests are in it.",
}
OTHERWISE = "The .h5 file is HDF5 with a group for each clip; a folder has a file for each clip."
PRIVACY = "It holds pictures of people: keep it as private as the videos.\n"


def export(store: Store, out: Path, official: bool = False) -> None:
    """Writes a store in the format that the ending of the path names: .npz, .csv, .parquet or .zip.

    Args:
        official: an .npz with `X` (n, d) and `filenames` (n,), usable clips only, as the organisers' aggregated features.

    Raises:
        BadInput: if the kind of store has no such form, the ending is another, or the file cannot be written.
    """
    if official and (out.suffix != ".npz" or store.kind != "features"):
        raise BadInput(f"--official writes features to an .npz file, not {store.kind} of {store.path} to {out}; leave it out.")
    if out.suffix not in WRITERS:
        raise BadInput(f"{out} does not say the format; let it end in one of {', '.join(WRITERS)}.")
    if not out.absolute().parent.is_dir():
        raise BadInput(f"{out.parent} is no folder; make it first.")
    try:
        _official(store, out) if official else WRITERS[out.suffix](store, out)
    except OSError as error:
        raise BadInput(f"{out} cannot be made of {store.path} ({error}); mend what the error names.") from None


def _official(store: Store, out: Path) -> None:
    rows = read_features(store.path)
    usable = np.isin(rows.status, USABLE)
    np.savez(out, X=rows.embedding[usable], filenames=np.array(rows.clip)[usable])
    if left := int((~usable).sum()):
        print(f"{left} clips without features are left out of {out}.")


def _npz(store: Store, out: Path) -> None:
    np.savez(out, allow_pickle=False, **arrays(store))


def arrays(store: Store) -> dict[str, NDArray]:
    """Every array by name, of a shard `clip/array`; text as text.

    Raises:
        BadInput: if the store holds files or pictures.
    """
    if store.kind in ("features", "probabilities"):
        return {name: np.array(values, dtype=np.str_) if isinstance(values, list) else values for name, values in columns(store)._asdict().items()}
    if store.kind == "track":
        return {f"{clip}/{name}": values for clip, _, found in groups(store) for name, values in found.items()}
    if store.kind == "head":
        return tensors(store)
    raise BadInput(f"{store.path} holds {store.kind}, which have no form as arrays; export them as .zip.")


def table(store: Store) -> pd.DataFrame:
    """One row per clip of features and probabilities, one per frame of a track.

    Raises:
        BadInput: if the store is of another kind.
    """
    if store.kind == "track":
        return pd.concat([_frames(clip, status, found) for clip, status, found in groups(store)], ignore_index=True)
    if store.kind not in ("features", "probabilities"):
        raise BadInput(f"{store.path} holds {store.kind}, which are no table; export them as .zip.")
    rows = columns(store)._asdict()
    plain = {name: values for name, values in rows.items() if np.ndim(values) == 1}
    if "status" in plain:
        plain["status"] = [STATUSES[status] for status in plain["status"]]
    wide = {name: values for name, values in rows.items() if np.ndim(values) > 1}
    numbers = {name: pd.DataFrame(values.reshape(len(values), -1), columns=_names(name, values.shape[1:])) for name, values in wide.items()}
    return pd.concat([pd.DataFrame({"clip": plain.pop("clip")} | plain), *numbers.values()], axis=1)


def _names(array: str, shape: tuple[int, ...]) -> list[str]:
    """`feature_3`, of stores with layers `feature_2_3` for number 3 of the third."""
    places = ["_".join(map(str, place)) for place in np.ndindex(shape)]
    return [f"{array}_{emotion}" for emotion in EMOTIONS] if array != "embedding" else [f"feature_{place}" for place in places]


def _frames(clip: str, status: str, found: dict[str, NDArray]) -> pd.DataFrame:
    """A track's frames; a clip that failed has one row without numbers."""
    if not len(found.get("detected", [])):
        return pd.DataFrame({"clip": [clip], "status": [status]})
    flat = {"detected": found["detected"], "probability": found["probability"]}
    flat |= {side: found["boxes"][:, index] for index, side in enumerate(("left", "top", "right", "bottom"))}
    flat |= {f"landmark_{point}_{axis}": found["landmarks"][:, point, at] for point in range(5) for at, axis in enumerate("xy")}
    return pd.DataFrame({"clip": clip, "status": status, "frame": np.arange(len(found["detected"])), **flat})


def _csv(store: Store, out: Path) -> None:
    table(store).to_csv(out, index=False, lineterminator="\n")


def _parquet(store: Store, out: Path) -> None:
    table(store).to_parquet(out, index=False)


def _zip(store: Store, out: Path) -> None:
    """Store, manifest, record of the run, provenance and a page that says how to read it."""
    manifest = manifest_path(store.path)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path, inside in _files(store.path):
            archive.write(path, inside)
        for beside in {manifest, manifest.with_suffix(".run.json")} - {store.path}:
            if beside.is_file():
                archive.write(beside, beside.name)
        archive.writestr("provenance.json", json.dumps(store.attributes, indent=1, sort_keys=True) + "\n")
        described = describe(store) | {"store": store.path.name}  # without the path of this machine
        archive.writestr("description.json", json.dumps(described, indent=1) + "\n")
        clips = CLIPS.format(clips=len(clips_of(store)), manifest=manifest.name) if store.manifest else ""
        text = READ_ME.format(kind=described["kind"], clips=clips, reading=READING.get(store.kind, OTHERWISE))
        archive.writestr("README.txt", text + (PRIVACY if store.kind in PICTURED else ""))


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    if path.is_file():
        yield path, path.name
    for file in sorted(path.rglob("*")):
        if file.is_file() and file.name != ".snakemake_timestamp":
            yield file, str(Path(path.name, file.relative_to(path)))


WRITERS: dict[str, Callable[[Store, Path], None]] = {".npz": _npz, ".csv": _csv, ".parquet": _parquet, ".zip": _zip}
