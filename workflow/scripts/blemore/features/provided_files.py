"""Where each clip's provided features are, found by name and without reading them. Standard library only, because Snakemake parses with it."""

import ast
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from blemore.data.catalogue import Catalogue, is_file, video_stem
from blemore.job import BadInput
from blemore.problems import refuse
from blemore.settings import SHORT

SUFFIXES = (".npy", ".csv", ".npz", ".zarr")

Found = tuple[str, int | str]  # a file, and what changes with its content: size in bytes, or a digest where the file states one


def provided_files(catalogue: Catalogue, encoder: Mapping[str, Any]) -> dict[str, tuple[str | None, int | str | None, str]]:
    """Clip -> the file that holds its features, what changes with the file's content, and the actor; None where there is no file.

    Args:
        encoder: settings of kind provided: `train` (also for train_only clips) and `test`, relative to `data.root`.

    Raises:
        BadInput: if a place cannot be used, or holds a clip twice.
    """
    places = {part: Path(catalogue.data["root"], encoder[part]) for part in ("train", "test") if encoder[part]}
    found = {part: files_in(place) for part, place in places.items()}
    split = {"train": found.get("train", {}), "train_only": found.get("train", {}), "test": found.get("test", {})}
    clips = [clip for shard in catalogue.by_shard.values() for clip in shard]
    return {clip.clip: (*split[clip.split].get(clip.clip, (None, None)), clip.actor) for clip in clips}


def files_in(place: Path) -> dict[str, Found]:
    """Clip -> where it is, in a folder with files of clips, an `.npz` file or a `.zarr` store; nothing where the place is absent.

    A folder may hold `.npy` and `.csv` files named after their clips, and further `.npz` files and `.zarr` stores.
    """
    if not place.exists():
        return {}
    if place.suffix not in (".npz", ".zarr") and not place.is_dir():
        raise BadInput(f"{place} is no folder, .npz file or .zarr store; name a folder with one .npy or .csv file for each clip, or one of the others.")
    found: dict[str, Found] = {}
    problems = []
    for clip, file, version in _clips_in(place) if place.suffix in (".npz", ".zarr") else _clips_beside_each_other(place):
        if clip in found:
            problems.append(f"{clip} is there twice, in {found[clip][0]} and in {file}; keep one.")
        found[clip] = (file, version)
    refuse(problems, str(place))
    return found


def _clips_beside_each_other(folder: Path) -> Iterator[tuple[str, str, int | str]]:
    """Strings of os.scandir, since a Path for each of a million files takes ten seconds of every dry-run.

    A link may lead nowhere, as in data sets whose files are fetched one by one.
    """
    with os.scandir(folder) as entries:
        named = [entry for entry in entries if entry.name.endswith(SUFFIXES) and not entry.name.startswith(".")]
        seen = sorted((entry.path, entry.name) for entry in named if entry.name.endswith(".zarr") or is_file(entry))
    for path, name in seen:
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        if suffix in (".npz", ".zarr"):
            yield from _clips_in(Path(path))
        else:
            yield stem, path, os.stat(path).st_size  # noqa: PTH116


def _clips_in(path: Path) -> Iterator[tuple[str, str, int | str]]:
    clips = _clips_in_npz(path) if path.suffix == ".npz" else _clips_in_store(path)
    yield from ((clip, str(path), version) for clip, version in clips)


def _clips_in_store(path: Path) -> Iterator[tuple[str, str]]:
    try:
        json.loads((path / "zarr.json").read_text())["attributes"]["settings"]
        manifest = json.loads(path.with_suffix(".json").read_text())
        yield from ((clip, manifest["content_sha256"][:SHORT]) for clip in manifest["clips"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is no store of this workflow with its manifest {path.stem}.json beside it ({error}); copy both.") from None


def _clips_in_npz(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            version = "".join(f"{archive.getinfo(f'{name}.npy').CRC:08x}" for name in ("X", "filenames"))
            names = text_array(archive.read("filenames.npy"))
    except KeyError:
        raise BadInput(f"{path} does not hold the arrays X and filenames; save them with np.savez.") from None
    except Exception as error:  # a damaged file may raise anything
        raise BadInput(f"{path} cannot be read ({error}); filenames must be an array of text, saved without pickle.") from None
    yield from ((clip_of(name), version) for name in names)


def clip_of(name: str) -> str:
    """The clip that a file name stands for: without folder, and without the extension of a video or an array."""
    stem = os.path.basename(name).removesuffix(".npy")  # noqa: PTH119
    return video_stem(stem) or stem


def text_array(data: bytes) -> list[str]:
    """A one-dimensional array of text from the bytes of an `.npy` file.

    Raises:
        ValueError: if it is anything else.

    Source: the NPY format, numpy.lib.format.
    """
    if data[:6] != b"\x93NUMPY":
        raise ValueError("filenames is no array")
    start = 10 if data[6] == 1 else 12
    end = start + int.from_bytes(data[8:start], "little")
    header = ast.literal_eval(data[start:end].decode("latin1"))
    kind, width, (count,) = header["descr"][:2], int(header["descr"][2:] or 0), header["shape"]
    if kind not in ("<U", ">U", "|S"):
        raise ValueError(f"filenames is of type {header['descr']}, not text")
    size, encoding = (width, "utf-8") if kind == "|S" else (4 * width, "utf-32-le" if kind == "<U" else "utf-32-be")
    return [data[end + n * size : end + (n + 1) * size].decode(encoding).rstrip("\0") for n in range(count)]
