"""Stores of features and probabilities: a Zarr group, and beside it a manifest of its content."""

import hashlib
import json
import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from blemore.job import BadInput, write_text

SCHEMA_VERSION = 1
ROWS_PER_CHUNK = 64
STATUSES = ("ok", "no_face", "no_audio", "too_short", "decode_error", "api_error", "missing", "partial")
# As climate data name their flags, which xarray shows.
STATUS_ATTRIBUTES: dict[str, Any] = {"flag_values": list(range(len(STATUSES))), "flag_meanings": " ".join(STATUSES)}
# Without it, a flipped bit in an array of strings can make the reader ask for gigabytes before the digest is compared.
CHECKED_COMPRESSION = ZstdCodec(level=0, checksum=True)
OK, NO_FACE, NO_AUDIO, TOO_SHORT, DECODE_ERROR, API_ERROR, MISSING, PARTIAL = range(8)
USABLE = (OK, PARTIAL)
FAILED = (DECODE_ERROR, API_ERROR, MISSING)


class Features(NamedTuple):
    """One vector per clip; rows whose status is not ok or partial are NaN."""

    embedding: NDArray[np.float32]  # (clip, feature)
    clip: list[str]
    status: NDArray[np.uint8]  # (clip,)
    actor: list[str]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    n_frames: NDArray[np.int64]


# Of the scored clips, by the epoch that is best on them. Named for what it used, since no honest figure may read it.
USED_SCORED_FOLD = "probability_used_scored_fold"


class Probabilities(NamedTuple):
    """Predictions of one head for one fold, and the part that each clip had in it."""

    probability: NDArray[np.float32]  # (clip, emotion); NaN where the features are
    clip: list[str]
    split: list[str]  # train, inner, scored, test
    logit: NDArray[np.float32]


class Predictions(NamedTuple):
    """What one store of probabilities holds."""

    honest: Probabilities
    tuned: Probabilities | None  # by the epoch that is best on the scored clips, NaN at all others; None where no epoch was chosen so


def manifest_path(store: str | Path) -> Path:
    """`x.zarr`, `x.h5` or a folder `x` -> `x.json`, the manifest beside it."""
    store = Path(store)
    return store.parent / (store.name.removesuffix(".zarr").removesuffix(".h5") + ".json")


def write_json(path: str | Path, content: Any) -> None:
    """Equal content gives equal bytes."""
    write_text(path, json.dumps(content, sort_keys=True, indent=1) + "\n")


def read_manifest(store: str | Path) -> dict[str, Any]:
    """The manifest of a store.

    Raises:
        BadInput: if it is absent or unreadable: then the store is not known to be whole.
    """
    path = manifest_path(store)
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}), so {store} is not known to be whole; delete both and run again.") from None


def write_manifest(store: str | Path, content_sha256: str, clips: Sequence[str], statuses: Iterable[int], **more: Any) -> None:
    """Writes the manifest that makes a store count as finished: content only, no time, no place."""
    names = [STATUSES[status] for status in statuses]
    counts = {name: names.count(name) for name in STATUSES if name in names}
    write_json(
        manifest_path(store), {"schema_version": SCHEMA_VERSION, "content_sha256": content_sha256, "clips": list(clips), "status_counts": counts, **more}
    )


def content_digest(arrays: Mapping[str, NDArray | list[str]]) -> str:
    """SHA-256 over names, types, shapes and values; byte order and the bits of a NaN do not count."""
    total = hashlib.sha256()
    for name in sorted(arrays):
        values = arrays[name]
        if isinstance(values, list):
            described, data = "strings", memoryview(json.dumps(values).encode())
        else:
            canonical = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
            if canonical.dtype.kind == "f" and (undefined := np.isnan(canonical)).any():
                canonical = np.where(undefined, np.array(np.nan, canonical.dtype), canonical)
            described, data = canonical.dtype.str, canonical.data
        total.update(json.dumps([name, described, list(np.shape(values)), data.nbytes]).encode())
        total.update(data)
    return total.hexdigest()


def write_features(store: str | Path, features: Features, attributes: Mapping[str, Any], dimensions: tuple[str, ...] = ("clip", "feature")) -> None:
    """Writes a feature store and, last, its manifest.

    Args:
        attributes: what determines the numbers, from `provenance`.
        dimensions: of the embedding.

    Raises:
        ValueError: if lengths differ, an id occurs twice, a failed row holds numbers or a good one is not finite.
    """
    usable = np.isin(features.status, USABLE)
    if len(set(features.clip)) != len(features.clip) or any(len(field) != len(features.clip) for field in features):
        raise ValueError(f"{store}: fields of different lengths or repeated clip ids")
    if not np.isfinite(features.embedding[usable]).all() or not np.isnan(features.embedding[~usable]).all():
        raise ValueError(f"{store}: rows that are ok must be finite, all others NaN")
    digest = _write_group(store, features._asdict(), {"embedding": dimensions}, attributes)
    write_manifest(store, digest, features.clip, features.status, shape=list(features.embedding.shape))


def read_features(path: str | Path) -> Features:
    """Embeddings, clip ids, status and the rest of a feature store.

    Raises:
        BadInput: if the store does not hold what its manifest says.
    """
    return Features(**_read_checked(path, Features._fields))


def write_probabilities(
    store: str | Path,
    rows: Probabilities,
    emotions: Sequence[str],
    attributes: Mapping[str, Any],
    statuses: Sequence[int] | None = None,
    used_scored_fold: NDArray[np.float32] | None = None,
) -> None:
    """Writes the predictions of one encoder, head and fold, and, last, the manifest.

    Args:
        statuses: of each clip, for its counts in the manifest; without them a row that is not finite counts as missing.
        used_scored_fold: probabilities (clip, emotion) by the epoch that is best on the scored clips; NaN at all others.
    """
    dimensions = dict.fromkeys(("probability", "logit", USED_SCORED_FOLD), ("clip", "emotion")) | {"emotion": ("emotion",)}
    more = {} if used_scored_fold is None else {USED_SCORED_FOLD: used_scored_fold}
    digest = _write_group(store, {**rows._asdict(), "emotion": list(emotions), **more}, dimensions, attributes)
    counted = np.where(np.isfinite(rows.probability).all(1), OK, MISSING) if statuses is None else statuses
    write_manifest(store, digest, rows.clip, counted, shape=list(rows.probability.shape))


def read_probabilities(path: str | Path) -> Probabilities:
    """Predictions as written; refuses a store that does not match its manifest, like `read_features`."""
    return read_predictions(path).honest


def read_predictions(path: str | Path) -> Predictions:
    """All predictions of a store; errors as `read_probabilities`."""
    more = [USED_SCORED_FOLD] if Path(path, USED_SCORED_FOLD).is_dir() else []
    arrays = _read_checked(path, (*Probabilities._fields, "emotion", *more))
    honest = Probabilities(**{name: arrays[name] for name in Probabilities._fields})
    if not more:
        return Predictions(honest, None)
    tuned = arrays[USED_SCORED_FOLD]
    return Predictions(honest, honest._replace(probability=tuned, logit=np.log(tuned)))


def read_durations(path: str | Path) -> dict[str, float]:
    """Clip id -> seconds that a feature store's vectors were computed from; clips for which it does not say are left out."""
    group = _open(path)
    seconds = np.asarray(group["end_s"]) - np.asarray(group["start_s"])
    return {str(clip): float(value) for clip, value in zip(np.asarray(group["clip"]), seconds, strict=True) if value > 0}


def read_attributes(path: str | Path) -> dict[str, Any]:
    """What determined the numbers of a Zarr store."""
    return dict(_open(path).attrs)


def _open(path: str | Path) -> zarr.Group:
    """The group of a store, in the format that is written here alone: arrays of the second may name pickle as a filter."""
    return zarr.open_group(path, mode="r", zarr_format=3)


def _write_group(store: str | Path, arrays: Mapping[str, Any], dimensions: Mapping[str, tuple[str, ...]], attributes: Mapping[str, Any]) -> str:
    manifest_path(store).unlink(missing_ok=True)
    shutil.rmtree(store, ignore_errors=True)
    group = zarr.open_group(store, mode="w", attributes=dict(attributes))
    for name, values in arrays.items():
        data = np.array(values, dtype=np.dtypes.StringDType()) if isinstance(values, list) else values
        chunks = (max(1, min(ROWS_PER_CHUNK, len(data))), *(max(1, n) for n in data.shape[1:]))
        flags = STATUS_ATTRIBUTES if name == "status" else {}
        named = dimensions.get(name, ("clip",))
        array = group.create_array(
            name, shape=data.shape, dtype=data.dtype, chunks=chunks, compressors=[CHECKED_COMPRESSION], dimension_names=named, attributes=flags
        )
        array[...] = data
    with warnings.catch_warnings():
        # Consolidated metadata keeps xarray from listing the folder, where Snakemake's time stamp would make it warn.
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        zarr.consolidate_metadata(group.store)
    return content_digest(arrays)


def _read_checked(path: str | Path, names: Iterable[str]) -> dict[str, Any]:
    manifest = read_manifest(path)
    try:
        group = _open(path)
        arrays = {name: _plain(np.asarray(cast(zarr.Array, group[name])[...])) for name in names}
    except Exception as error:
        raise BadInput(f"{path} is damaged ({type(error).__name__}: {error}); delete it and its manifest and run again.") from error
    if content_digest(arrays) != manifest["content_sha256"]:
        raise BadInput(f"{path} does not hold what its manifest {manifest_path(path)} says; delete both and run again.")
    return arrays


def _plain(values: NDArray) -> NDArray | list[str]:
    return values if values.dtype.kind in "iufb" else [str(value) for value in values]


def provenance(params: Any, inputs: Mapping[str, str | Path], packages: Iterable[str], **more: Any) -> dict[str, Any]:
    """What determines the numbers of a store: settings, code, content of the inputs, versions.

    Args:
        params: the rule's params, with `cfg` and `code`.
        inputs: name -> each store that was read; the content digest of its manifest is kept, its path is not.
        packages: distributions whose version can change the result.
        more: seed, model id, revision, SHA-256 of the weights.
    """
    digests = {name: read_manifest(path)["content_sha256"] for name, path in inputs.items()}
    return {"settings": params.cfg, "code": params.code, "inputs": digests, "packages": {name: version(name) for name in sorted(packages)}, **more}
