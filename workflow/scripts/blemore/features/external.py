"""Encoders that the user brings: a command or a Python function that turns the media of a shard into an array for each clip."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from blemore.features import call_function
from blemore.features.arrays import NOTHING, Row, pooled, read_npy
from blemore.job import BadInput
from blemore.media.shard import open_clip, read_folder
from blemore.stores import DECODE_ERROR, MISSING, OK, STATUSES, USABLE, read_manifest

SCRIPTS = Path(__file__).resolve().parents[2]
CREDENTIALS = ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
SUFFIX_OF_FILES = {"audio": ".flac", "clips": ".mp4"}


def media_status(clips: Sequence[str], stores: Mapping[str, str | Path], videos: Mapping[str, Path | None] | None) -> dict[str, int]:
    """Clip -> the first status, in the order of the media, that says it cannot be used; partial if one of the media is.

    Args:
        stores: medium -> its store or folder of the shard.
        videos: clip -> its video, None where there is none; None where they are not asked for.
    """
    statuses = {clip: MISSING if videos is not None and videos[clip] is None else OK for clip in clips}
    for medium, store in stores.items():
        suffix = SUFFIX_OF_FILES.get(medium)
        named = (read_folder(store, suffix) if suffix else read_manifest(store))["status"]
        statuses = {clip: _worse(status, STATUSES.index(named[clip])) for clip, status in statuses.items()}
    return statuses


def _worse(status: int, other: int) -> int:
    if status not in USABLE:
        return status
    return max(status, other) if other in USABLE else other


def lay_out(folder: Path, clips: Sequence[str], stores: Mapping[str, str | Path], videos: Mapping[str, Path | None] | None) -> None:
    """Makes `videos/{clip}.mov`, `audio/{clip}.flac`, `clips/{clip}.mp4` (links) and `faces|body/{clip}/000000.jpg` in a folder.

    Args:
        clips: those that are laid out.
        stores, videos: see `media_status`.
    """
    for medium in (*stores, *(["videos"] if videos is not None else [])):
        (folder / medium).mkdir(parents=True)
    for clip in clips:
        if videos is not None and (video := videos[clip]):
            (folder / "videos" / f"{clip}{video.suffix}").symlink_to(video.absolute())
        for medium, store in stores.items():
            if suffix := SUFFIX_OF_FILES.get(medium):
                (folder / medium / f"{clip}{suffix}").symlink_to(Path(store, f"{clip}{suffix}").absolute())
            else:
                _write_frames(folder / medium / clip, store, clip)


def _write_frames(folder: Path, store: str | Path, clip: str) -> None:
    folder.mkdir()
    with open_clip(store, clip) as group:
        for number, jpeg in enumerate(group["jpeg"]):
            (folder / f"{number:06d}.jpg").write_bytes(jpeg.tobytes())


def words_of(command: str | None, function: str | None, inputs: Path, outputs: Path) -> list[str]:
    """The program and its arguments; nothing goes through a shell. `{inputs}` and `{outputs}` stand for folders, and no clip is named."""
    if function:
        file, _, name = function.rpartition(":")
        return [sys.executable, str(Path(call_function.__file__)), file, name, str(inputs), str(outputs)]
    return [word.replace("{inputs}", str(inputs)).replace("{outputs}", str(outputs)) for word in shlex.split(command or "")]


def run_limited(words: Sequence[str], timeout_s: float) -> None:
    """Runs a program with what it prints in the log; it and all that it started end with this process or when the time is over.

    It gets the environment without `CREDENTIALS`, which are none of its business and would stand in the log if it printed them.

    Raises:
        BadInput: if it cannot be started, fails or takes too long.
    """
    environment = {name: value for name, value in os.environ.items() if name not in CREDENTIALS}
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, [str(SCRIPTS), os.environ.get("PYTHONPATH")]))}
    try:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True, env=environment)
    except OSError as error:
        raise BadInput(f"{words[0]} cannot be started ({error.strerror}); mend features.*.command.") from None
    with _ended(process):
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise BadInput(f"{shlex.join(words)} took more than {timeout_s:g} s; raise features.*.timeout_s, or see in the log what it waits for.") from None
    if status:
        raise BadInput(f"{shlex.join(words)} ended with status {status}; see in the log what it said, and mend it.")


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens, SIGTERM included, the process and its group do not stay behind: they would hold the lock of the log."""
    previous = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_outputs(folder: Path, statuses: Mapping[str, int], width: int | None) -> dict[str, Row]:
    """The rows of a shard from `{clip}.npy` in a folder; a clip that was asked for and has no file is missing.

    Raises:
        BadInput: if clips were asked for and none has a file.
    """
    asked = [clip for clip, status in statuses.items() if status in USABLE]
    there = {clip for clip in asked if (folder / f"{clip}.npy").is_file()}
    if asked and not there:
        raise BadInput(f"the encoder wrote no array for any of {len(asked)} clips; it must leave {asked[0]}.npy and so on in the folder of its outputs.")
    return {clip: _row(folder / f"{clip}.npy", status, clip in there, width) for clip, status in statuses.items()}


def _row(path: Path, status: int, there: bool, width: int | None) -> Row:
    if status not in USABLE:
        return Row(NOTHING, status, reason=STATUSES[status])
    if not there:
        return Row(NOTHING, MISSING, reason="the encoder wrote no array")
    try:
        row = pooled(read_npy(path), width)
    except BadInput as error:
        return Row(NOTHING, DECODE_ERROR, reason=f"its array {error}")
    return row._replace(status=max(row.status, status))
