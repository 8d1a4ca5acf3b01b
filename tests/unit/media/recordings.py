"""Small recordings made on the spot, and what the ffmpeg program says about a recording."""

import subprocess
import zlib
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

MILLISECOND = Fraction(1, 1000)


def levels(count: int, height: int = 32, width: int = 48) -> list[NDArray[np.uint8]]:
    """Frames of one grey level each, which tells them apart; the top left corner is brighter."""
    frames = [np.full((height, width, 3), 2 * index, np.uint8) for index in range(count)]
    for frame in frames:
        frame[: height // 4, : width // 4] = 255
    return frames


def write_video(
    path: Path,
    frames: Sequence[NDArray[np.uint8]],
    times_ms: Sequence[int],
    *,
    codec: str = "ffv1",
    pix_fmt: str = "bgr0",
    orientation: tuple[float, bool, bool] | None = None,
    colour: dict[str, int] | None = None,
    sound: Sequence[tuple[NDArray[np.float32], int]] = (),
    sample_rate_hz: int = 16000,
) -> Path:
    """Writes frames at given times, by default without loss.

    Args:
        orientation: degrees, mirrored horizontally, mirrored vertically.
        sound: pieces of samples (channels, n), each with the time of its first sample in ms.
    """
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=1000, options={"qp": "0"} if codec == "libx264" else {})
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt, video.time_base, video.codec_context.time_base = pix_fmt, MILLISECOND, MILLISECOND
        video.codec_context.max_b_frames = 0
        for name, value in (colour or {}).items():
            setattr(video.codec_context, name, value)
        if orientation:
            video.set_display_rotation(orientation[0], hflip=orientation[1], vflip=orientation[2])
        layout = "mono" if not sound or len(sound[0][0]) == 1 else "stereo"
        audio: Any = container.add_stream("pcm_s16le", rate=sample_rate_hz, layout=layout) if sound else None
        for frame, time_ms in zip(frames, times_ms, strict=True):
            picture = av.VideoFrame.from_ndarray(frame).reformat(format=pix_fmt)
            picture.pts, picture.time_base = time_ms, MILLISECOND
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        for samples, start_ms in sound:
            interleaved = np.round(samples.T * 32767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
            frame.sample_rate, frame.time_base, frame.pts = sample_rate_hz, Fraction(1, sample_rate_hz), start_ms * sample_rate_hz // 1000
            container.mux(audio.encode(frame))
    return path


def run_ffmpeg(*arguments: str | Path) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", "1", *map(str, arguments), "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout


def ffmpeg_frames(path: Path, *options: str) -> list[tuple[Fraction, int]]:
    """Time since the first frame, and `checksum` of the RGB pixels, of every frame that the ffmpeg program decodes."""
    answer = run_ffmpeg("-i", path, "-map", "0:v:0", "-fps_mode", "passthrough", *options, "-pix_fmt", "rgb24", "-f", "framecrc").decode()
    time_base = Fraction(next(line for line in answer.splitlines() if line.startswith("#tb")).split()[-1])
    rows = [line.split(",") for line in answer.splitlines() if not line.startswith("#")]
    return [((int(row[2]) - int(rows[0][2])) * time_base, int(row[5], 16)) for row in rows]


def at_rate(times_s: Sequence[Fraction], fps: float) -> list[int]:
    """The time rule of the design, word for word: which picture each output frame shows."""
    duration_s = times_s[-1] - times_s[0] + Fraction(np.median([float(b - a) for a, b in pairwise(times_s)])).limit_denominator(10**6)
    limits = [(k + Fraction(1, 2)) / Fraction(fps) for k in range(round(duration_s * Fraction(fps)))]
    return [max(index for index, time_s in enumerate(times_s) if time_s - times_s[0] < limit) for limit in limits]


def checksum(frame: NDArray[np.uint8]) -> int:
    """FFmpeg's of a frame's bytes: Adler-32 that starts at 0."""
    return zlib.adler32(np.ascontiguousarray(frame), 0)
