"""Features that come with the data, in files named after clips, or in files and stores that hold many."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blemore.features.arrays import NOTHING, Row, as_features, pooled, read_npy
from blemore.features.frame_tables import read_csv
from blemore.features.gather import same_extraction
from blemore.features.provided_files import clip_of
from blemore.job import BadInput
from blemore.stores import DECODE_ERROR, MISSING, STATUSES, USABLE, Features, read_attributes, read_features, read_manifest


def import_features(
    files: Mapping[str, str | Path | None], actor: Mapping[str, str], width: int | None = None, columns: Sequence[str] | None = None
) -> Features:
    """Features of all clips from their files; a clip without a usable one becomes a status, with a sentence in the log.

    Args:
        files: clip id -> the `.npy` or `.csv` file of the clip, or an `.npz` file or `.zarr` store that holds it among others; None where there is none.
        actor: clip id -> actor, "" where there is none.
        width: see `arrays.pooled`.
        columns: see `frame_tables.read_csv`.

    Raises:
        BadInput: if a file of many clips cannot be read, or no clip has a usable one.
    """
    read = {path: _reader(Path(path), width, columns) for path in dict.fromkeys(files.values()) if path}
    rows: dict[str, Row] = {}
    for clip, path in files.items():
        try:
            rows[clip] = read[path](clip) if path else Row(NOTHING, MISSING, reason="there is no file")
        except BadInput as error:
            rows[clip] = Row(NOTHING, DECODE_ERROR, reason=f"{path} {error}")
    features = as_features(rows, actor)
    if not np.isin(features.status, USABLE).any():
        clip, row = next(iter(rows.items()))
        raise BadInput(f"none of {len(rows)} clips has usable features (the first: {clip}: {row.reason}); mend the files, or features.*.train, test and width.")
    return features


def read_clip(path: Path, width: int | None, columns: Sequence[str] | None) -> Row:
    """One clip from its `.npy` or `.csv` file; arguments and errors as in `pooled` and `read_csv`."""
    return pooled(read_csv(path, columns) if path.suffix == ".csv" else read_npy(path), width)


def _reader(path: Path, width: int | None, columns: Sequence[str] | None) -> Callable[[str], Row]:
    """Gives the row of a clip that the file holds; files of many clips are read once, and raise what is wrong with all of them here."""
    if path.suffix == ".zarr":
        return rows_of_store(path).__getitem__
    if path.suffix == ".npz":
        arrays = arrays_of_npz(path)
        return lambda clip: pooled(arrays[clip], width)
    return lambda clip: read_clip(path, width, columns)


def arrays_of_npz(path: Path) -> dict[str, NDArray[Any]]:
    """Clip -> its row of `X`, by the names in `filenames`.

    Raises:
        BadInput: if the file does not hold these two, as plain arrays of the same length.
    """
    try:
        with np.load(path, allow_pickle=False) as held:
            names, rows = np.char.decode(held["filenames"]) if held["filenames"].dtype.kind == "S" else held["filenames"], held["X"]
    except Exception as error:  # a damaged file may raise anything
        raise BadInput(f"{path} cannot be read as arrays X and filenames without pickle ({error}); save them again with np.savez.") from None
    if rows.ndim < 2 or len(rows) != len(names):
        raise BadInput(f"{path}: X has shape {rows.shape} and filenames {len(names)} names; save them with one row for each name.")
    return dict(zip(map(clip_of, names), rows))


def rows_of_store(path: Path) -> dict[str, Row]:
    """Clip -> its row of a feature store of this workflow, with the status that it has there."""
    one = read_features(path)
    fields = zip(one.embedding, one.status.tolist(), one.start_s.tolist(), one.end_s.tolist(), one.n_frames.tolist())
    return {clip: Row(*values, reason=f"{STATUSES[values[1]]} in {path}" if values[1] else "") for clip, values in zip(one.clip, fields)}


def origins(files: Mapping[str, str | Path | None]) -> list[dict[str, Any]]:
    """Name, content digest and attributes of every `.zarr` store that clips were taken from, so that their provenance is kept.

    Raises:
        BadInput: if the stores were made in different ways, naming each setting.
    """
    stores = sorted({str(path) for path in files.values() if path and Path(path).suffix == ".zarr"})
    attributes = {store: read_attributes(store) for store in stores}
    if attributes:
        same_extraction({store: one.get("extraction", one) for store, one in attributes.items()}, "import them as encoders of their own")
    return [{"store": Path(store).name, "content_sha256": read_manifest(store)["content_sha256"], **attributes[store]} for store in stores]
