"""Videos without labels, from anywhere: found, and given ids that can name files. Standard library only, because Snakemake parses with it."""

import glob
import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from blemore.data.catalogue import COLUMNS, NAME, Catalogue, Clip, is_file, shard_of, video_stem
from blemore.job import BadInput
from blemore.problems import refuse

LINKS = Path("results/data/videos")
HASHED = re.compile(r".*-[0-9a-f]{12}")  # the form of an id that is made here; a file of such a name gets one as well
TRAINED = Path("results/data/sheet.csv")


@dataclass(frozen=True, eq=False)
class NewClips(Catalogue):
    """The clips of `predict.videos`, all of the split test. The video of each is a link, since names of files may be anything."""

    patterns: Sequence[str] = ()

    @cached_property
    def files(self) -> dict[str, str]:
        """Clip id -> its file, as it was found."""
        return {clip: file for file, clip in clip_ids(find_files(self.patterns)).items()}

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """Sorted by id.

        Raises:
            BadInput: if a pattern matches nothing, or the working folder belongs to a training run.
        """
        if TRAINED.exists():
            raise BadInput(f"results/ of this folder belongs to a run that trains ({TRAINED} is there); name another folder with --directory.")
        return tuple(self._clip(clip, file) for clip, file in sorted(self.files.items()))

    def _clip(self, clip: str, file: str) -> Clip:
        row = dict.fromkeys(COLUMNS, "") | {"filename": clip}
        shard = shard_of(clip, "", self.data["buckets"])
        return Clip(clip, "", "test", None, shard, _link(clip, file), os.stat(file).st_size, row, printable(file))  # noqa: PTH116

    def make_links(self, only_absent: bool = False) -> None:
        """Puts the links where the rules look for the videos, and takes away those of other files.

        Args:
            only_absent: takes away none that leads to a file, as where a run may be at work in the folder.
        """
        LINKS.mkdir(parents=True, exist_ok=True)
        links = {_link(clip, file): os.path.abspath(file) for clip, file in self.files.items()}  # noqa: PTH100
        for old in LINKS.iterdir():
            if old.is_symlink() and links.get(old) != os.readlink(old) and not (only_absent and os.path.exists(old)):  # noqa: PTH110, PTH115
                old.unlink()
        for link, target in links.items():
            if not link.is_symlink():
                link.symlink_to(target)


def catalogue_of(config: Mapping[str, Any]) -> Catalogue:
    """The clips of a run: those that are predicted, where an exported system is named, else those of the sheets."""
    own = config["predict"]
    return NewClips(config["data"], own["videos"]) if own["system"] else Catalogue(config["data"])


def find_files(patterns: Iterable[str]) -> list[str]:
    """The files that are named, and the videos that are in the folders that are named or match a pattern; each once, hidden ones left out.

    Raises:
        BadInput: naming each entry that stands for no file.
    """
    found: dict[str, str] = {}
    problems = []
    for pattern in patterns:
        # A folder may be called `[clips]`, which as a pattern means something else.
        matches = [pattern] if os.path.exists(pattern) else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH110, PTH207
        files = [file for match in matches for file in _files(match, named=match == pattern)]
        if not files:
            problems.append(f"predict.videos names {printable(pattern)}, where there is no video; name folders, files or patterns of them.")
        for file in files:
            found.setdefault(os.path.realpath(file), file)  # a link in a circle leads to the same file dozens of times
    if not patterns:
        problems.append("predict.videos is empty; name the folders or files that are to be predicted.")
    refuse(problems, "predict.videos")
    return sorted(found.values())


def _files(match: str, named: bool) -> Iterator[str]:
    if os.path.isdir(match):  # noqa: PTH112
        with os.scandir(match) as entries:
            yield from sorted(entry.path for entry in entries if is_file(entry) and not entry.name.startswith(".") and video_stem(entry.name))
    elif os.path.isfile(match) and (named or video_stem(match)):  # noqa: PTH113
        yield match


def clip_ids(files: Sequence[str]) -> dict[str, str]:
    """File -> id: its name without the extension where that can name files and no other has it, else what of it can and 12 digits of its path's SHA-256."""
    stems = {file: _stem(file) for file in files}
    count = Counter(stem.casefold() for stem in stems.values())
    return {file: stem if count[stem.casefold()] == 1 and _is_plain(stem) else _hashed(stem, file) for file, stem in stems.items()}


def _is_plain(stem: str) -> bool:
    return bool(NAME.fullmatch(stem)) and not HASHED.fullmatch(stem)


def _hashed(stem: str, file: str) -> str:
    letters = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", letters).strip("_.-")[:60] or "clip"
    return f"{safe}-{hashlib.sha256(os.fsencode(file)).hexdigest()[:12]}"


def printable(path: str) -> str:
    """A path as UTF-8 text, whatever bytes are in it."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _stem(file: str) -> str:
    name = os.path.basename(file)  # noqa: PTH119
    return video_stem(name) or name


def _link(clip: str, file: str) -> Path:
    extension = os.path.splitext(file)[1].lower()  # noqa: PTH122
    return LINKS / f"{clip}{extension if re.fullmatch(r'[.][a-z0-9]+', extension) else ''}"
