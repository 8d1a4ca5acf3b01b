"""The clips of a shard: going through them, and keeping one group of arrays for each in an HDF5 file."""

import errno
import json
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from blemore.job import FAILING, BadInput, Progress
from blemore.media.video import Unusable
from blemore.stores import MISSING, NO_FACE, PARTIAL, STATUSES, TOO_SHORT, content_digest, manifest_path, read_manifest, write_json, write_manifest

# What the log says of a status that is no error.
REASONS = {
    NO_FACE: "no face was found in any frame",
    TOO_SHORT: "it is too short for one frame or sample",
    PARTIAL: "something of it does not decode, and the rest is used",
}
USER_BLOCK_BYTES = 512  # that HDF5 leaves alone at the beginning of a file: they hold the checksum of all the rest
REMEDY = "delete it and its manifest and run again."


def pair_videos(clips: Mapping[str, int | None], videos: Sequence[str]) -> dict[str, Path | None]:
    """Clip id -> its video, None where there is none.

    Args:
        clips: clip id -> size of its video in bytes, None where there is no video.
        videos: the paths of the videos that exist, in the order of the clips.
    """
    there = [clip for clip, size in clips.items() if size is not None]
    return {**dict.fromkeys(clips), **{clip: Path(video) for clip, video in zip(there, videos, strict=True)}}


def process_clips(videos: Mapping[str, Path | None], work: Callable[[str, Path], tuple[int, int]]) -> dict[str, int]:
    """Does the work for each clip that has a video, and says how far it is.

    Args:
        work: takes clip id and video, gives a status of `stores.STATUSES` and how many frames it has worked on; `video.Unusable` is turned into a status.

    Returns:
        Clip id -> status. Whatever is not ok is said in one sentence, which goes to the log.
    """
    cv2.setNumThreads(1)
    statuses, progress = {}, Progress(len(videos), "clips", "frames")
    for clip, video in videos.items():
        statuses[clip], n_frames, reason = _outcome(clip, video, work)
        if statuses[clip]:
            print(f"{clip}: {STATUSES[statuses[clip]]}, {reason}.", flush=True)
        progress.step(n_frames)
    return statuses


def _outcome(clip: str, video: Path | None, work: Callable[[str, Path], tuple[int, int]]) -> tuple[int, int, str]:
    if video is None:
        return MISSING, 0, "no video was found"
    try:
        status, n_frames = work(clip, video)
        reason = REASONS.get(status, "as its face track says")
    except Unusable as error:
        status, n_frames, reason = STATUSES.index(error.status), 0, f"{video}: {error}"
    if status:
        _check_reachable(video)
    return status, n_frames, reason


def _check_reachable(video: Path) -> None:
    """A video whose disk fails is no bad video: its status would stay when the disk is there again.

    Raises:
        BadInput: if it is gone.
        OSError: if the disk or the network fails.
    """
    try:
        video.stat()
    except OSError as error:
        if error.errno in FAILING:
            raise
        if error.errno == errno.ENOENT and not video.is_symlink():
            raise BadInput(f"{video} was there when the run began and is gone; put it back, or run again without it.") from None


class Disk:
    """The file that HDF5 writes to. HDF5 crashes where a disk is full, so it is told that all is well, and the error is raised by `check`."""

    def __init__(self, path: str | Path) -> None:
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115  # closed by `close`
        self._error: OSError | None = None

    def write(self, data: Any) -> int:
        try:
            rest = memoryview(data).cast("B")
            while len(rest) and not self._error:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._error = error
        return len(data)

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int) -> int:
        return self._file.truncate(size)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self._file.close()

    def check(self) -> None:
        """Raises the OSError that writing met, if it did."""
        if self._error:
            raise self._error


class NewStore(h5py.File):
    """An HDF5 file to write one group per clip to."""

    def __init__(self, path: str | Path) -> None:
        self.disk = Disk(path)
        self.path = path
        super().__init__(self.disk, "w", libver="latest", userblock_size=USER_BLOCK_BYTES)

    def close(self) -> None:
        super().close()
        self.disk.close()
        self.disk.check()


@contextmanager
def new_store(path: str | Path) -> Iterator[NewStore]:
    """An empty HDF5 file to write one group per clip to; the manifest of an earlier one is removed first."""
    manifest_path(path).unlink(missing_ok=True)
    with NewStore(path) as store:
        yield store


def write_clip(store: NewStore, clip: str, **arrays: NDArray | list[NDArray[np.uint8]]) -> None:
    """Writes the group of a clip; a list of arrays becomes one dataset of byte strings of any length."""
    group = store.create_group(clip)
    for name, values in arrays.items():
        if isinstance(values, list):
            dataset = group.create_dataset(name, (len(values),), h5py.vlen_dtype(np.uint8))
            for index, value in enumerate(values):
                dataset[index] = value
        else:
            group.create_dataset(name, data=values)
    store.disk.check()


def finish_store(store: NewStore, statuses: Mapping[str, int], attributes: Mapping[str, Any], **more: Any) -> None:
    """Adds status and attributes, closes the store and writes its manifest.

    Args:
        attributes: what determines the numbers, from `stores.provenance`.
        more: further entries of the manifest.
    """
    for clip, status in statuses.items():
        store.require_group(clip).attrs["status"] = STATUSES[status]
    store.attrs["provenance"] = json.dumps(attributes, sort_keys=True)
    n_frames = {clip: _n_frames(store[clip]) for clip in statuses}
    store.close()
    with open(store.path, "r+b") as file:
        file.write(_checksum(store.path))
    _write_manifest(store.path, store_digest(store.path, list(statuses)), statuses, n_frames=n_frames, **more)


def _checksum(path: str | Path) -> bytes:
    """One line with the CRC-32 of all that follows the user block."""
    total = 0
    with open(path, "rb") as file:
        file.seek(USER_BLOCK_BYTES)
        while block := file.read(2**20):
            total = zlib.crc32(block, total)
    return f"crc32 {total:08x}\n".encode()


@lru_cache(maxsize=4096)
def _check_bytes(path: str, *_identity: int) -> None:
    """Once in a process for each store, before HDF5 sees it: a damaged heap of JPEGs can have it search for ever."""
    with open(path, "rb") as file:
        stated = file.readline(USER_BLOCK_BYTES)
    if stated != _checksum(path):
        raise BadInput(f"{path} is damaged (its bytes are not those that were written); {REMEDY}")


def _n_frames(group: h5py.Group) -> int | None:
    """The length of all arrays of a clip, 0 where it has none, None where they differ."""
    lengths = {len(group[name]) for name in group} or {0}
    return lengths.pop() if len(lengths) == 1 else None


def store_digest(path: str | Path, clips: Sequence[str]) -> str:
    """Content digest of an HDF5 store: status and arrays of its clips, in the order given.

    Raises:
        BadInput: if it is damaged or lacks one of them.
    """
    with open_store(path) as store:
        return content_digest({"clip": list(clips), "content": [_clip_digest(store[clip]) for clip in clips]})


@contextmanager
def open_store(path: str | Path) -> Iterator[h5py.File]:
    """A store for reading.

    Raises:
        BadInput: if it is no HDF5 file, or damaged.
    """
    found = Path(path).stat()
    _check_bytes(str(path), found.st_ino, found.st_size, found.st_mtime_ns)
    try:
        with h5py.File(path, "r") as store:
            yield store
    except (OSError, KeyError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno:  # not there, or not ours to read
            raise
        raise BadInput(f"{path} is damaged ({' '.join(str(error).split())}); {REMEDY}") from None


def read_clip(path: str | Path, clip: str, names: Iterable[str]) -> tuple[int, dict[str, NDArray]]:
    """Status of a clip and the named arrays of its group, those of them that are there: a failed clip has none.

    Raises:
        BadInput: if the store is damaged or does not hold the clip.
    """
    with open_clip(path, clip) as group:
        return STATUSES.index(group.attrs["status"]), {name: group[name][...] for name in names if name in group}


@contextmanager
def open_clip(path: str | Path, clip: str) -> Iterator[h5py.Group]:
    """The group of a clip in a store, for reading.

    Raises:
        BadInput: if the store is damaged or does not hold the clip with the status and the number of frames that its manifest gives.
    """
    with open_clips(path) as group_of:
        yield group_of(clip)


@contextmanager
def open_clips(path: str | Path) -> Iterator[Callable[[str], h5py.Group]]:
    """What gives the group of each clip in a store, for reading.

    Raises:
        BadInput: as `open_clip`, the second when the clip is asked for.
    """
    manifest = read_manifest(path)

    def group_of(clip: str) -> h5py.Group:
        told = manifest["status"].get(clip), manifest.get("n_frames", {}).get(clip)
        if clip not in store or (store[clip].attrs["status"], _n_frames(store[clip])) != told:
            raise BadInput(f"{path} does not hold the clip {clip} as its manifest says; delete both and run again.")
        return store[clip]

    with open_store(path) as store:
        yield group_of


def new_folder(path: str | Path) -> Path:
    """An empty folder for one file per clip; the manifest of an earlier one is removed first."""
    manifest_path(path).unlink(missing_ok=True)
    shutil.rmtree(path, ignore_errors=True)
    folder = Path(path)
    folder.mkdir(parents=True)
    return folder


def finish_folder(folder: Path, suffix: str, statuses: Mapping[str, int], attributes: Mapping[str, Any], **more: Any) -> None:
    """Writes `provenance.json` into a folder of `{clip}{suffix}` files, and the manifest beside it; arguments as in `finish_store`."""
    write_json(folder / "provenance.json", attributes)
    names = {clip: STATUSES[status] for clip, status in statuses.items()}
    _write_manifest(folder, folder_digest(folder, suffix, names), statuses, **more)


def read_folder(folder: str | Path, suffix: str) -> dict[str, Any]:
    """The manifest of a folder of `{clip}{suffix}` files, compared with what they hold: a film with a flipped bit would be decoded to other pictures.

    Raises:
        BadInput: if they are not what was written.
    """
    manifest = read_manifest(folder)
    status = {clip: manifest["status"][clip] for clip in manifest["clips"]}
    if folder_digest(Path(folder), suffix, status) != manifest["content_sha256"]:
        raise BadInput(f"{folder} does not hold what its manifest {manifest_path(folder)} says; delete both and run again.")
    return manifest


def folder_digest(folder: Path, suffix: str, status: Mapping[str, str]) -> str:
    """Content digest of a folder of `{clip}{suffix}` files: the bytes of each, and the status of each clip."""
    files = [folder / f"{clip}{suffix}" for clip in status]
    content = [content_digest({"bytes": np.fromfile(file, np.uint8)}) if file.exists() else "" for file in files]
    return content_digest({"clip": list(status), "status": list(status.values()), "content": content})


def _write_manifest(store: str | Path, digest: str, statuses: Mapping[str, int], **more: Any) -> None:
    names = {clip: STATUSES[status] for clip, status in statuses.items()}
    write_manifest(store, digest, list(statuses), statuses.values(), status=names, **more)


def _clip_digest(group: h5py.Group) -> str:
    arrays: dict[str, Any] = {"status": [group.attrs["status"]]}
    for name, dataset in group.items():
        values = dataset[...]
        if values.dtype == object:
            arrays[f"{name}_length"] = np.array([len(value) for value in values])
            values = np.concatenate([np.empty(0, np.uint8), *values])
        arrays[name] = values
    return content_digest(arrays)
