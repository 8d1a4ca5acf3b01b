"""The clips of a data set: sheets read, videos found, shards and splits assigned. Standard library only, because Snakemake parses with it."""

import csv
import glob
import hashlib
import io
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from blemore.job import BadInput
from blemore.problems import did_you_mean, refuse

COLUMNS = (
    "filename",
    "video_id",
    "gender",
    "mix",
    "emotion_1",
    "version",
    "intensity_level",
    "situation",
    "emotion_2",
    "emotion_1_salience",
    "emotion_2_salience",
    "fold",
)
DESCRIPTIVE = ("gender", "version", "intensity_level", "situation")  # may be absent
SPLITS = ("train", "train_only", "test")
SETTINGS = ("root", "train_sheet", "train_videos", "test_sheet", "test_videos", "train_only", "only_actors", "buckets", "folds", "made_folds")
VIDEO_EXTENSIONS = {
    "divx",
    "xvid",
    "m1v",
    "m2v",
    "mpe",
    "m2t",
    "mod",
    "tod",
    "dv",
    "rm",
    "rmvb",
    "asf",
    "f4v",
    "3g2",
    "ogm",
    "qt",
    "y4m",
    "nut",
    "mjpeg",
    "h264",
    "hevc",
    "mov",
    "mp4",
    "m4v",
    "avi",
    "mkv",
    "webm",
    "mpg",
    "mpeg",
    "wmv",
    "flv",
    "ogv",
    "3gp",
    "mts",
    "m2ts",
    "ts",
    "mxf",
    "vob",
}
DEFAULT_EXTENSION = ".mov"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
NAME_RULE = "1 to 100 letters, digits, '_', '.' and '-', the first a letter or digit"
BUCKET = re.compile(r"bucket_\d+", re.IGNORECASE)
RESERVED = re.compile(r".+\.(run|h5|zarr|json)", re.IGNORECASE)
FOLD = re.compile(r"0*\d{1,2}(\.0+)?", re.ASCII)


class Clip(NamedTuple):
    """One video, and what is known of it before any work."""

    clip: str
    actor: str  # "" if unknown
    split: str  # train, train_only, test
    fold: int | None  # None outside of train, and where folds are made later
    shard: str
    video: Path | None
    size_bytes: int | None
    row: dict[str, str]  # the official columns, "" where a value is missing
    where: str  # sheet and line, or file, that names the clip


class _Row(NamedTuple):
    """A line of a sheet, or a video that stands for one."""

    row: dict[str, str]
    where: str


@dataclass(frozen=True, eq=False)
class Catalogue:
    """All clips that take part. Reads the disk when first asked, once.

    Args:
        data: the block `data` of the configuration.
    """

    data: Mapping[str, Any]

    @cached_property
    def clips(self) -> tuple[Clip, ...]:
        """Sorted by split and id.

        Raises:
            BadInput: if a sheet is absent or cannot be read, a name cannot be a file's, or a video is there twice.
        """
        clips = [clip for split, sheet, patterns in _sources(self.data) for clip in _clips_of(split, sheet, patterns, self.data)]
        refuse(_repeated(clips), "the sheets")
        kept = _only_actors(clips, self.data["only_actors"])
        return tuple(sorted(kept, key=lambda clip: (SPLITS.index(clip.split), clip.clip)))

    @cached_property
    def by_shard(self) -> dict[str, list[Clip]]:
        """Shard -> its clips, sorted by id."""
        shards = defaultdict(list)
        for clip in sorted(self.clips, key=lambda clip: clip.clip):
            shards[clip.shard].append(clip)
        return {shard: shards[shard] for shard in sorted(shards)}

    @cached_property
    def shards(self) -> list[str]:
        return list(self.by_shard)

    @property
    def makes_folds(self) -> bool:
        """Whether check_sheet makes the folds, rather than the sheet."""
        return self.data["folds"] == "made"

    @cached_property
    def folds(self) -> list[int]:
        """The folds that hold train clips."""
        if self.makes_folds:
            return list(range(self.data["made_folds"]["count"]))
        return sorted({clip.fold for clip in self.clips if clip.fold is not None})

    @cached_property
    def video_names(self) -> dict[str, str]:
        """Clip -> file name with extension; where there is no file, the extension that most videos have."""
        found = {clip.clip: clip.video.name for clip in self.clips if clip.video}
        extensions = Counter(Path(name).suffix for name in found.values())
        usual = min(extensions, key=lambda extension: (-extensions[extension], extension), default=DEFAULT_EXTENSION)
        return {clip.clip: found.get(clip.clip, clip.clip + usual) for clip in self.clips}

    @cached_property
    def video_names_digest(self) -> str:
        """Changes when a clip comes or goes or its file is renamed; short, because Snakemake prints a param that changed."""
        return hashlib.sha256(json.dumps(sorted(self.video_names.items())).encode()).hexdigest()[:12]


def existing_sheets(data: Mapping[str, Any]) -> list[Path]:
    """The sheets that are read. The test sheet only where it exists: else the files in `test_videos` stand for it."""
    named = [(split, Path(data["root"]) / sheet) for split, sheet, _ in _sources(data) if sheet]
    return [path for split, path in named if split != "test" or path.is_file()]


def shard_of(clip: str, actor: str, buckets: int) -> str:
    """The actor, or one of a fixed number of buckets by SHA-256 of the clip's id: more clips move none."""
    return actor or f"bucket_{int(hashlib.sha256(clip.encode()).hexdigest(), 16) % buckets:02d}"


def find_videos(root: str | Path, patterns: Iterable[str]) -> dict[str, list[str]]:
    """Clip id -> the video files of that name, in all folders that match; more than one is for the caller to refuse."""
    videos = defaultdict(list)
    # Path.glob takes neither "." nor an absolute pattern.
    folders = {Path(root, match) for pattern in patterns for match in glob.glob(pattern, root_dir=root)}  # noqa: PTH207
    for folder in sorted(folder for folder in folders if folder.is_dir()):
        with os.scandir(folder) as entries:
            files = sorted((entry.name, entry.path) for entry in entries if not entry.name.startswith(".") and is_file(entry))
        for name, path in files:
            if stem := video_stem(name):
                videos[stem].append(path)
    return dict(videos)


def is_file(entry: os.DirEntry) -> bool:
    """Whether an entry of a folder is a file or leads to one; a link in a circle does not."""
    try:
        return entry.is_file()
    except OSError:
        return False


def video_stem(name: str) -> str:
    """The name of a video file without its extension, "" for other files; the case of the extension does not count."""
    stem, _, extension = name.rpartition(".")
    return stem if extension.lower() in VIDEO_EXTENSIONS else ""


def missing_videos_paragraph(data: Mapping[str, Any]) -> str:
    """What to say where videos are needed and none is found."""
    return _missing_paragraph(f"no video is in {', '.join([*data['train_videos'], *data['test_videos']])} of {data['root']}", "train_videos", data)


def _missing_paragraph(what: str, setting: str, data: Mapping[str, Any]) -> str:
    return (
        f"The data set is not there: {what}. BLEMORE can be had from Zenodo, record 17787362 (https://zenodo.org/records/17787362), under its access "
        f"conditions; unpack it into {data['root']}, or name your own folder and files with the settings data.root and data.{setting} in a file given by "
        "--configfile. `make demo` needs none of it: it generates its own data set."
    )


def _sources(data: Mapping[str, Any]) -> Iterator[tuple[str, str | None, list[str]]]:
    yield "train", data["train_sheet"], data["train_videos"]
    for more in data["train_only"]:
        yield "train_only", more["sheet"], more["videos"]
    yield "test", data["test_sheet"], data["test_videos"]


def _clips_of(split: str, sheet: str | None, patterns: list[str], data: Mapping[str, Any]) -> list[Clip]:
    path = Path(data["root"]) / sheet if sheet else None
    videos = find_videos(data["root"], patterns)
    if path and path.is_file():
        rows = list(read_rows(path, _required(split, data["folds"])))
    elif split == "test":
        rows = [_Row(dict.fromkeys(COLUMNS, "") | {"filename": stem}, files[0]) for stem, files in videos.items()]
    else:
        raise BadInput(_missing_paragraph(f"the sheet {path} is no file", "train_sheet" if split == "train" else "train_only", data))
    clips = [_clip(split, row, where, videos, data) for row, where in rows]
    refuse([problem for clip in clips for problem in _name_problems(clip, videos)], "the sheets")
    return clips


def _required(split: str, folds: str) -> list[str]:
    if split == "test":
        return ["filename"]
    unused = {*DESCRIPTIVE, *(["fold"] if split == "train_only" or folds == "made" else [])}
    return [column for column in COLUMNS if column not in unused]


def open_text(path: Path) -> io.StringIO:
    """The text of a sheet, its line ends as they are.

    Raises:
        BadInput: if it is no UTF-8 text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 (byte {error.start} is {error.object[error.start]:#04x}); save it as CSV UTF-8.") from None
    if "\0" in text:
        raise BadInput(f"{path} is no text, since it holds a zero byte; save it as CSV UTF-8.")
    return io.StringIO(text, newline="")


def read_rows(path: Path, required: Iterable[str] = ("filename",)) -> Iterator[_Row]:
    """The rows of a sheet with all official columns, and the line that each ends on.

    Raises:
        BadInput: if it is not a comma-separated UTF-8 file with the required columns and no unknown ones.
    """
    reader = csv.reader(open_text(path), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header, required)
        empty, line = dict.fromkeys(COLUMNS, ""), f"{path} line"
        for cells in reader:
            if len(cells) not in (0, len(header)):
                raise BadInput(f"{line} {reader.line_num} has {len(cells)} cells where the header has {len(header)}; quote values that hold a comma.")
            if cells:
                yield _Row(empty | dict(zip(header, map(str.strip, cells))), f"{line} {reader.line_num}")
    except csv.Error as error:
        raise BadInput(f"{path} line {reader.line_num} is not CSV ({error}); save it again as comma-separated CSV UTF-8.") from None


def _check_header(path: Path, header: list[str], required: Iterable[str]) -> None:
    if not any(header):
        raise BadInput(f"{path} is empty; its first line must name the columns {', '.join(COLUMNS)}.")
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and separator in header[0]:
            raise BadInput(f"{path} is separated by {name}; save it with commas.")
    problems = [f"{path} has no column {name}; {did_you_mean(name, header)}" for name in required if name not in header]
    problems += [f"{path} has an unknown column {name!r}; {did_you_mean(name, COLUMNS)}" for name in header if name not in COLUMNS]
    problems += [f"{path} has the column {name} {count} times; keep one." for name, count in Counter(header).items() if count > 1]
    refuse(problems, str(path))


def _clip(split: str, row: dict[str, str], where: str, videos: Mapping[str, list[str]], data: Mapping[str, Any]) -> Clip:
    name, actor = video_stem(row["filename"]) or row["filename"], row["video_id"]
    video = Path(videos[name][0]) if name in videos else None
    in_sheet = split == "train" and data["folds"] == "sheet" and FOLD.fullmatch(row["fold"])
    fold, size_bytes = int(float(row["fold"])) if in_sheet else None, video.stat().st_size if video else None
    return Clip(name, actor, split, fold, shard_of(name, actor, data["buckets"]), video, size_bytes, row | {"filename": name}, where)


def _name_problems(clip: Clip, videos: Mapping[str, list[str]]) -> Iterator[str]:
    if not NAME.fullmatch(clip.clip):
        yield f"{clip.where}: filename {clip.clip!r} cannot name files; it must be {NAME_RULE}."
    if clip.actor and not NAME.fullmatch(clip.actor):
        yield f"{clip.where}: video_id {clip.actor!r} cannot name files; it must be {NAME_RULE}."
    if BUCKET.fullmatch(clip.actor):
        yield f"{clip.where}: video_id {clip.actor!r} is kept for clips without an actor; rename the actor."
    if RESERVED.fullmatch(clip.actor):
        yield f"{clip.where}: video_id {clip.actor!r} ends like a file of a store; rename the actor."
    if len(files := videos.get(clip.clip, [])) > 1:
        yield f"{clip.where}: the video of {clip.clip} is there twice, {files[0]} and {files[1]}; keep one."


def _repeated(clips: Iterable[Clip]) -> list[str]:
    """Names that are equal on disks that ignore case."""
    seen: dict[str, Clip] = {}
    actors: dict[str, Clip] = {}
    problems = []
    for clip in clips:
        first = seen.setdefault(clip.clip.casefold(), clip)
        if first is not clip:
            how = f"filename {clip.clip} is also" if clip.clip == first.clip else f"filename {clip.clip} differs only in case from {first.clip}"
            problems.append(f"{clip.where}: {how} in {first.where}; give each clip its own name.")
        one = actors.setdefault(clip.actor.casefold(), clip)
        if one.actor != clip.actor:
            problems.append(f"{clip.where}: video_id {clip.actor} differs only in case from {one.actor} in {one.where}; write an actor in one way.")
    return problems


def _only_actors(clips: list[Clip], only: Sequence[str]) -> list[Clip]:
    actors = {clip.actor for clip in clips if clip.actor}
    refuse([f"data.only_actors names {actor}, an actor of no clip: {did_you_mean(actor, actors)}" for actor in only if actor not in actors], "data.only_actors")
    return [clip for clip in clips if clip.actor in only] if only else clips
