"""Decoding a video to upright RGB frames at a fixed rate, by presentation time."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

import av
import numpy as np
from av.error import FFmpegError
from av.sidedata.sidedata import SideDataContainer
from av.stream import Disposition
from numpy.typing import NDArray

from blemore.media.blocks import read_blocks

T = TypeVar("T")
HALF = Fraction(1, 2)
AHEAD = 3  # pictures that are decoded while as many are worked on; each hand-over wakes a thread
LENGTH_TOLERANCE_S = HALF  # by which a whole file may fall short of the length in its header
# What a damaged header may claim, and no recording of a person does.
LONGEST_INTERVAL_S = Fraction(10)  # between two pictures; one flipped bit can make it years, which would be as many frames
MOST_PIXELS = 2**26  # of a picture; 8K has half as many
LARGEST_ASPECT = 16  # of a pixel


class Unusable(ValueError):
    """A clip has no result, only a status of `stores.STATUSES`; the message is a clause about the file, without its path."""

    status: str


class DecodeError(Unusable):
    """Nothing can be decoded."""

    status = "decode_error"


class Video(NamedTuple):
    """Frames at a fixed rate."""

    frames: NDArray[np.uint8]  # (t, h, w, 3) RGB, upright, square pixels
    timestamps_s: NDArray[np.float64]  # (t,), from 0


class Frame(NamedTuple):
    """One frame of a `Video`; neighbours may share their pixels."""

    pixels: NDArray[np.uint8]  # (h, w, 3)
    timestamp_s: float


class Picture:
    """A decoded picture, converted only if it is shown."""

    def __init__(self, decoded: Any, width: int, height: int) -> None:
        self._decoded = decoded
        self._size = {"width": width, "height": height}

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        """Upright pixels (h, w, 3).

        Raises:
            DecodeError: if FFmpeg cannot convert it.
        """
        try:
            pixels = self._decoded.reformat(**self._size, format="rgb24", interpolation="BICUBIC", threads=1).to_ndarray()
        except FFmpegError as error:
            raise DecodeError(f"its pictures cannot be converted to RGB ({error.strerror})") from None
        return turn_upright(pixels, self._decoded)


class Source:
    """The pictures of a file's default video stream, and what is known of it once they have passed.

    Attributes:
        start_s: presentation time of the first picture.
        damaged: whether something of the file did not decode.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = path
        self.start_s = Fraction(0)
        self.damaged = False
        self._times_s: list[Fraction] = []
        self._interval_s = Fraction(0)

    def __iter__(self) -> Iterator[tuple[Picture, Fraction]]:
        """Pictures in presentation order, each with the seconds since the first one.

        Raises:
            DecodeError: if there is no picture.
        """
        self._times_s, self.damaged = [], False
        with open_media(self._path) as container:
            stream = default_stream(container.streams.video)
            if stream is None:
                raise DecodeError("it has no video stream that can be decoded")
            self._interval_s = _plausible(1 / Fraction(stream.guessed_rate or 25))
            width, height = shown_size(stream)
            for decoded in decode(container, stream, self):
                if self._note_time(decoded):
                    yield Picture(decoded, width, height), self._times_s[-1]
        if not self._times_s:
            raise DecodeError("its video stream holds no picture that can be decoded")

    def _note_time(self, decoded: Any) -> bool:
        """Whether the picture comes after the one before; a clock that stands still, runs back or leaps ahead is a fault of the file."""
        if not self._times_s:
            self.start_s = (decoded.pts or 0) * decoded.time_base
            self._interval_s = _plausible(decoded.duration * decoded.time_base or self._interval_s)
            self._times_s.append(Fraction(0))
            return True
        last_s = self._times_s[-1]
        time_s = last_s + self._interval_s if decoded.pts is None else decoded.pts * decoded.time_base - self.start_s
        leaps = time_s - last_s > LONGEST_INTERVAL_S
        self.damaged |= leaps
        if time_s <= last_s or leaps:
            return False
        self._times_s.append(time_s)
        return True

    @property
    def duration_s(self) -> Fraction:
        """Last time minus first plus the median interval; a single picture lasts as long as the file says."""
        intervals = [later - earlier for earlier, later in pairwise(self._times_s)]
        return self._times_s[-1] + median(intervals or [self._interval_s])


def _plausible(interval_s: Fraction) -> Fraction:
    return min(interval_s, LONGEST_INTERVAL_S)


def shown_size(stream: Any) -> tuple[int, int]:
    """Width and height of a stream's pictures in square pixels; an absurd shape of the pixels does not count.

    Raises:
        DecodeError: if the pictures are too large to be true.
    """
    aspect = stream.sample_aspect_ratio or Fraction(1)
    if not 1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT:
        aspect = Fraction(1)
    width, height = max(1, round(stream.width * aspect)), stream.height
    if width * height > MOST_PIXELS:
        raise DecodeError(f"its header claims pictures of {width} x {height} pixels; at most {MOST_PIXELS:,} pixels are read")
    return width, height


class FrameStream:
    """Frames of one video at a fixed rate, decoded while they are iterated; `source` is complete after the last one."""

    def __init__(self, path: str | Path, fps: float) -> None:
        if not fps > 0:
            raise ValueError(f"{fps} frames per second; above 0 is expected")
        self.source = Source(path)
        self._fps = Fraction(fps)

    def __iter__(self) -> Iterator[Frame]:
        count = 0
        shown: Any = None
        for picture, time_s in _made_ahead(self.source):
            # `shown` is the last picture before (k + 1/2) / fps for every k that the new one comes too late for.
            while shown is not None and count + HALF <= time_s * self._fps:
                yield Frame(shown.rgb, float(count / self._fps))
                count += 1
            shown = picture
        for k in range(count, round(self.source.duration_s * self._fps)):
            yield Frame(shown.rgb, float(k / self._fps))


def _made_ahead(items: Iterable[T]) -> Iterator[T]:
    """The items, made in another thread while those before are worked on: FFmpeg decodes and converts at the same time."""
    with ThreadPoolExecutor(1) as maker:
        for block in read_blocks(items, AHEAD, maker):
            while block:
                yield block.pop(0)


def iter_video(path: str | Path, fps: float) -> FrameStream:
    """The frames of `read_video` as `Frame(pixels, timestamp_s)`, one after the other, in constant memory.

    Raises (while iterated):
        DecodeError: if nothing of the file can be decoded.
    """
    return FrameStream(path, fps)


def read_video(path: str | Path, fps: float) -> Video:
    """A whole video at exactly `fps`.

    0 is the presentation time of the first picture, the duration is last minus first plus the median interval, there are
    round(duration * fps) frames, and frame k shows the last picture with a time before (k + 1/2) / fps.

    Returns:
        Frames uint8 (t, h, w, 3), RGB, upright, square pixels, and their times k / fps. Damaged files give what decodes.

    Raises:
        DecodeError: if nothing of the file can be decoded, or it is too short for one frame.
        ValueError: if `fps` is not above 0.
    """
    with naming(path):
        frames = list(iter_video(path, fps))
        if not frames:
            raise DecodeError(f"it is too short for one frame at {fps} per second")
    return Video(np.stack([frame.pixels for frame in frames]), np.array([frame.timestamp_s for frame in frames]))


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Puts the path in front of what is wrong with the file; where shards are processed, the log names it."""
    try:
        yield
    except Unusable as error:
        raise type(error)(f"{path}: {error}") from None


@contextmanager
def open_media(path: str | Path) -> Iterator[Any]:
    """An input container, closed at the end.

    Raises:
        DecodeError: if FFmpeg cannot make sense of the file.
    """
    if not os.path.isfile(path):  # noqa: PTH113  # Path.is_file raises where permission is lacking. Opening a pipe would wait for ever.
        raise DecodeError("it is no file that can be read")
    try:
        # Titles and comments in another encoding than UTF-8 are no reason to refuse a video.
        container = av.open(str(path), metadata_errors="ignore")
    except FFmpegError as error:
        raise DecodeError(f"it cannot be opened as a video ({error.strerror})") from None
    with container:
        yield container


def default_stream(streams: tuple[Any, ...]) -> Any | None:
    """The stream marked as default, else the first; covers, and streams without a decoder, do not count."""
    playable = [stream for stream in streams if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic]
    return next((stream for stream in playable if stream.disposition & Disposition.default), playable[0] if playable else None)


def decode(container: Any, stream: Any, note: Any) -> Iterator[Any]:
    """Whatever of the stream decodes, on one thread; sets `note.damaged` where something does not."""
    stream.codec_context.thread_count = 1
    packets = container.demux()
    count, end_s = 0, Fraction(0)
    while (packet := _attempt(lambda: next(packets, None), note)) is not None:
        end_s = max(end_s, _end_s(packet))
        if packet.stream is not stream:
            continue
        count += packet.size > 0
        for frame in _attempt(packet.decode, note) or []:
            note.damaged |= frame.is_corrupt
            yield frame
    # The end of the file has drained the decoder already, unless reading broke off before it.
    for frame in _attempt(stream.decode, note) or []:
        frame.time_base = stream.time_base  # which PyAV takes from the packet, and here there is none
        yield frame
    # Not the frame count of the header, which also counts what the file has cut away by an edit list.
    note.damaged |= count < len(stream.index_entries) or end_s < _promised_s(container, stream)


def _end_s(packet: Any) -> Fraction:
    """When what a packet holds is over."""
    return Fraction(0) if packet.pts is None else (packet.pts + (packet.duration or 0)) * packet.time_base


def _promised_s(container: Any, stream: Any) -> Fraction:
    """The time that some stream must reach: a file that is cut off has lost the index at the end of these containers, but not the length at their beginning."""
    length_s = Fraction(0)
    if container.format.name == "avi" and stream.type == "video":  # FFmpeg itself replaces the length by what is there, but not the count
        length_s = stream.frames / Fraction(stream.guessed_rate or 25)
    elif container.format.name in ("matroska,webm", "flv"):
        length_s = Fraction(container.duration or 0, av.time_base)
    return length_s - LENGTH_TOLERANCE_S


def _attempt(step: Any, note: Any) -> Any:
    try:
        return step()
    except EOFError:
        return None
    except FFmpegError:
        note.damaged = True
        return None


def turn_upright(pixels: NDArray[np.uint8], decoded: Any) -> NDArray[np.uint8]:
    """Applies the display matrix, rotations by quarter turns and mirrorings alike.

    The matrix is (a, b, u, c, d, v, x, y, w): the pixel at (x, y) is shown at (a x + c y, b x + d y).
    """
    # Not `decoded.side_data`, which refers to the picture that it is kept in: hundreds of large pictures would wait for the garbage collector.
    matrix = SideDataContainer(decoded).get("DISPLAYMATRIX")  # type: ignore[call-arg]  # which its stub lacks
    if matrix is None:
        return pixels
    a, b, _, c, d, *_ = np.frombuffer(matrix, np.int32)
    if abs(int(b)) > abs(int(a)):
        pixels, a, d = pixels.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
