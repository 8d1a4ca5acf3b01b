"""What every script does around its work. Standard library only, and nothing here can change a number."""

import errno
import fcntl
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

# Descriptor of where Snakemake was started and the job's name, for `Progress`; set by `run`.
_shown: tuple[int, str] | None = None
PROGRESS_S = 15  # between two lines
FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
WITHOUT_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
FAILING = (errno.EIO, errno.ESTALE, errno.ENXIO)
NO_ROOM_BYTES = 4096


class BadInput(ValueError):
    """Something the user gave is wrong; the message is one sentence: what, where, what to do."""


def run(main: Callable[[Any], None], snakemake: Any) -> None:
    """Runs `main` with everything it prints, and all that its libraries and child processes print, in the rule's log.

    The log is locked first: a `kill -9` of Snakemake leaves its jobs alive, and two writers of one store
    make a mixture that passes for whole.
    """
    global _shown
    keep_private()
    terminal = os.dup(2)
    try:
        lock_log(snakemake.log[0], terminal)
        _shown = terminal, "/".join(Path(snakemake.log[0]).with_suffix("").parts[-2:])
        started = time.time()
        main(snakemake)
        record_run(snakemake, started)
        drop_if_awaited(snakemake)
    except Exception as error:
        problem = str(error) if isinstance(error, BadInput) else disk_problem(error)
        if not problem:
            raise
        os.write(terminal, f"{snakemake.rule}: {problem}\n".encode())
        if _shown:
            with suppress(OSError):  # the log may lie on a disk that is full
                print(f"{snakemake.rule}: {problem}", file=sys.stderr, flush=True)
        sys.exit(1)


def keep_private() -> None:
    """What is made from here on is for the user and their group alone, since faces and voices are personal data. A stricter umask stays."""
    os.umask(os.umask(0o077) | 0o007)


def make_private(folder: Path) -> None:
    """The same for a folder that is there already; one that belongs to another user stays as it is."""
    with suppress(OSError):
        folder.chmod(folder.stat().st_mode & ~0o007)


def disk_problem(error: Exception) -> str:
    """One sentence where a disk is full, fails, may not be written to or does not let us read; "" for every other error.

    Some libraries say nothing of the cause, so a disk without room counts whatever the error is.
    """
    full = next(filter(_is_full, _with_causes(error)), None)
    if full or not _has_room():
        return f"no room is left on the disk of {_place_of(full)}; free some and run the same command again: what is finished stays."
    if not isinstance(error, OSError):
        return ""
    place = error.filename or Path.cwd()
    if error.errno in FORBIDDEN:
        return f"{place} may not be read or written ({error.strerror}); change its permissions and run the same command again."
    if error.errno in FAILING:
        return f"{place} cannot be reached ({error.strerror}), since its disk or the network fails; run the same command again."
    return ""


def _place_of(full: BaseException | None) -> str:
    """On whose disk there was no room: the working folder's where that has none, else what the error names."""
    if full is None or not _has_room():
        return str(Path.cwd())
    if "</torch_" in str(full):
        return "/dev/shm (through which `runtime.loader_workers` processes hand over what they read)"
    return str(getattr(full, "filename", None) or Path.cwd())


def _has_room() -> bool:
    """Whether the working folder's disk does, as far as it can be asked."""
    try:
        return shutil.disk_usage(".").free >= NO_ROOM_BYTES
    except OSError:
        return True


def _is_full(error: BaseException) -> bool:
    return getattr(error, "errno", None) in FULL or "No space left on device" in str(error)


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    """PyTorch hides what writing met behind an error of its own."""
    while error:
        yield error
        error = error.__cause__ or error.__context__


def lock_log(path: str, terminal: int) -> None:
    """Points descriptors 1 and 2 at the log, which stays locked while this process or a child of it lives.

    Snakemake deletes the log of a job before it starts it anew, so the same file has a second name that Snakemake does not know, and the lock is sought there.
    """
    kept = Path(path).with_name(f".{Path(path).name}.lock")
    log = os.open(kept, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        lock(log, kept, wait=False)
    except BlockingIOError:
        # Failing instead would have Snakemake record the settings of today for what the other process, with its own, is yet to write.
        _link(path, kept)
        os.write(terminal, f"{path} is locked: a process of an earlier, killed run still does this job; it is waited for (stop it if it hangs).\n".encode())
        _awaited(path).touch()
        lock(log, kept)
    _awaited(path).unlink(missing_ok=True)
    os.ftruncate(log, 0)
    _link(path, kept)
    os.dup2(log, 1)
    os.dup2(log, 2)


def lock(descriptor: Any, path: str | Path, wait: bool = True) -> None:
    """Locks an open file until it is closed by this process and all that inherit it.

    Raises:
        BlockingIOError: if another process has it, and it is not to be waited for.
        BadInput: if its disk knows no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in WITHOUT_LOCKS:
            raise
        raise BadInput(f"the disk of {path} knows no file locks ({error.strerror}); mount it with them (Lustre: flock), or work on another disk.") from None


def drop_if_awaited(snakemake: Any) -> None:
    """Ends a job whose run was killed and which a later run waits for, or did until it was ended as well: what it made is not to be found.

    Without its manifest a store is made again; by then Snakemake may have recorded the settings of the later run for it.
    """
    if _awaited(snakemake.log[0]).exists():
        for name in ("manifest", "scores"):
            if made := getattr(snakemake.output, name, None):
                Path(made).unlink(missing_ok=True)
        raise BadInput("a later run waits for this job of a killed one and does it anew; if that was ended too, run again.")


def _awaited(log: str) -> Path:
    return Path(log).with_name(f".{Path(log).name}.awaited")


def _link(path: str, kept: Path) -> None:
    Path(path).unlink(missing_ok=True)
    Path(path).hardlink_to(kept)


class Progress:
    """Says every `PROGRESS_S` seconds how far a job is: in its log, and where Snakemake was started, if that is a terminal.

    Whole lines, since several jobs write to one terminal; none from a job that is done before. On a cluster, where nobody watches, the log alone has them.
    """

    def __init__(self, total: int, unit: str, part: str = "") -> None:
        """What is counted: `total` of a unit, and parts of it, whose number is not known before.

        Args:
            unit: plural, as in "12 of 52 clips".
            part: plural, as in "31 frames/s".
        """
        self._total, self._unit, self._part = total, unit, part
        self._done = self._parts = 0
        self._started = self._said = time.monotonic()

    def step(self, parts: int = 0) -> None:
        """One more unit is done, with so many parts."""
        self._done += 1
        self._parts += parts
        now = time.monotonic()
        since_s = now - (self._started if self._done == self._total else self._said)
        if since_s >= PROGRESS_S:
            self._said = now
            self._say(now - self._started)

    def _say(self, seconds: float) -> None:
        speed = f", {self._parts / seconds:.1f} {self._part}/s" if self._parts else ""
        left = f", {_duration(seconds / self._done * (self._total - self._done))} left" if self._done < self._total else ""
        line = f"{self._done} of {self._total} {self._unit}{speed}{left}"
        print(line, flush=True)
        if _shown and os.isatty(_shown[0]):
            os.write(_shown[0], f"{_shown[1]}: {line}\n".encode())


def _duration(seconds: float) -> str:
    """In the two units that matter."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def record_run(snakemake: Any, started: float) -> None:
    """Writes when, where and how long beside the store; kept out of it, so that equal content is equal bytes."""
    manifest = getattr(snakemake.output, "manifest", None)
    if manifest is None:
        return
    record = {
        "rule": snakemake.rule,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(time.time() - started, 3),
        "host": platform.node(),
        "python": platform.python_version(),
        "commit": _commit(),
    }
    write_text(Path(manifest).with_suffix(".run.json"), json.dumps(record, indent=1) + "\n")


def write_text(path: str | Path, text: str) -> None:
    """The file is whole or absent, never half-written."""
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def _commit() -> str | None:
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, cwd=Path(__file__).parent, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
