"""Decoding the sound of a video to mono, aligned with its pictures."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from blemore.media.video import DecodeError, Source, Unusable, decode, default_stream, naming, open_media

# FFmpeg's own limit (aresample, min_hard_comp): a smaller deviation is jitter of the container's clock.
JUMP_S = Fraction(1, 10)


class NoAudio(Unusable):
    """The file has no audio track."""

    status = "no_audio"


class Sound(NamedTuple):
    """Sound of one video."""

    samples: NDArray[np.float32]  # (n,) mono in [-1, 1]
    gain: float  # what the decoded samples were multiplied by to get there: 1 unless they exceeded it
    damaged: bool  # something of the file did not decode


class Run(NamedTuple):
    """Audio frames of one format without a jump in time."""

    start_s: Fraction
    frames: Iterator[av.AudioFrame]


def read_audio(path: str | Path, sample_rate_hz: int) -> NDArray[np.float32]:
    """The sound of a video, with the origin and length of its pictures.

    Returns:
        float32 (n,), n = round(duration of the pictures * sample_rate_hz), mono in [-1, 1]. What the track lacks at the start, in
        between or at the end is silence; what lies outside the pictures is cut.

    Raises:
        NoAudio: if there is no audio track.
        DecodeError: if the pictures or the sound cannot be decoded.
    """
    with naming(path):
        return read_sound(path, sample_rate_hz).samples


def read_sound(path: str | Path, sample_rate_hz: int) -> Sound:
    """`read_audio` with what was done to the samples; all pictures are decoded, since only that tells when they begin and end."""
    pictures = Source(path)
    for _ in pictures:
        pass
    sound = read_sound_of(path, sample_rate_hz, pictures.start_s, pictures.duration_s)
    return sound._replace(damaged=sound.damaged or pictures.damaged)


def read_sound_of(path: str | Path, sample_rate_hz: int, start_s: Fraction, duration_s: Fraction) -> Sound:
    """The sound of a stretch of a video whose time is known; what comes later in the file is not read.

    Args:
        start_s: presentation time of the stretch's first picture.

    Raises:
        NoAudio, DecodeError: as `read_audio`.
    """
    samples = np.zeros(round(duration_s * sample_rate_hz), np.float32)
    sound = SimpleNamespace(damaged=False)
    for run in _runs(path, sound, start_s + duration_s + JUMP_S):
        # Each frame is resampled as it comes: a long clip's sound in full rate and with all channels never stands in memory.
        _place(samples, _resample(run.frames, sample_rate_hz), round((run.start_s - start_s) * sample_rate_hz))
    gain = 1 / max(1.0, float(np.abs(samples).max(initial=0)))
    return Sound(samples * np.float32(gain), gain, sound.damaged)


def _runs(path: str | Path, note: Any, until_s: Fraction) -> Iterator[Run]:
    """Stretches of audio frames of one format without a jump in time, up to a frame that starts after `until_s`; taken one after the other."""
    for (_, start_s), timed in groupby(_frames_of_runs(path, note, until_s), itemgetter(0)):
        yield Run(start_s, (frame for _, frame in timed))


def _frames_of_runs(path: str | Path, note: Any, until_s: Fraction) -> Iterator[tuple[tuple[int, Fraction], av.AudioFrame]]:
    """Audio frames, each with number and start of the run that it belongs to."""
    with open_media(path) as container:
        stream = default_stream(container.streams.audio)
        if stream is None:
            raise NoAudio("it has no audio track")
        number, start_s, end_s = 0, Fraction(0), Fraction(0)
        last: tuple[str, str, int] | None = None
        for frame in decode(container, stream, note):
            time_s = end_s if frame.pts is None else frame.pts * frame.time_base
            if time_s > until_s:
                break
            if abs(time_s - end_s) > JUMP_S or _format(frame) != last:
                number, start_s, end_s, last = number + 1, time_s, time_s, _format(frame)
            yield (number, start_s), frame
            end_s += Fraction(frame.samples, frame.sample_rate)
        if not number and note.damaged:
            raise DecodeError("nothing of its audio track can be decoded")


def _format(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _resample(run: Iterable[av.AudioFrame], sample_rate_hz: int) -> NDArray[np.float32]:
    # Without rematrix_maxval a stereo track is louder by 3 dB if its codec decodes to floats than if it decodes to integers.
    resampler = av.AudioResampler(format="flt", layout="mono", rate=sample_rate_hz, options={"rematrix_maxval": "1.0"})
    try:
        pieces = [piece.to_ndarray()[0] for frame in chain(run, [None]) for piece in resampler.resample(frame)]
    except FFmpegError as error:
        raise DecodeError(f"its audio track cannot be resampled ({error.strerror})") from None
    return np.concatenate([np.zeros(0, np.float32), *pieces])


def _place(samples: NDArray[np.float32], piece: NDArray[np.float32], at: int) -> None:
    """Writes a piece at an index that may lie outside; what does not fit is left out."""
    begin, end = max(at, 0), min(at + len(piece), len(samples))
    if begin < end:
        samples[begin:end] = piece[begin - at : end - at]
