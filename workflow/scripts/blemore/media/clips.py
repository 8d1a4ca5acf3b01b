"""Writing short MP4 clips for services that take video files; the same input gives the same bytes."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags as CodecFlags
from numpy.typing import NDArray

AUDIO_RATE_HZ = 48000
# Its AVX-512 code reads memory that nobody wrote: at some sizes the same input gave 8 to 16 different files in 40 runs.
NO_MACROBLOCK_TREE = "mbtree=0"


def write_mp4(
    path: str | Path,
    frames: Iterable[NDArray[np.uint8]],
    samples: NDArray[np.float32] | None,
    *,
    fps: int,
    max_height: int,
    crf: int,
    audio_bitrate: int,
) -> int:
    """Encodes H.264 (yuv420p, even sides, never enlarged) and AAC, on one thread and without time stamps of the encoding.

    Args:
        frames: RGB frames (h, w, 3) of one size, at least one; they are taken one by one.
        samples: mono sound at `AUDIO_RATE_HZ`, in [-1, 1], cut where the pictures end; None for a clip without a sound track.
        fps: frames per second.
        max_height: pixels; higher frames are reduced.
        crf: quality of libx264, 0 to 51, lower is better.
        audio_bitrate: bits per second.

    Returns:
        Number of frames.
    """
    waiting = iter(frames)
    first, count = next(waiting), 0
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart", "fflags": "+bitexact"}) as container:
        video = container.add_stream("libx264", rate=fps, options={"crf": str(crf), "x264-params": NO_MACROBLOCK_TREE})
        video.width, video.height = even_size(first.shape[1], first.shape[0], max_height)
        video.pix_fmt = "yuv420p"
        # All streams must be there before the first packet is written.
        sound = None if samples is None else container.add_stream("aac", rate=AUDIO_RATE_HZ, layout="mono", bit_rate=audio_bitrate)
        for stream in container.streams:
            stream.codec_context.thread_count = 1
            stream.codec_context.flags |= CodecFlags.bitexact.value
        for frame in chain([first], waiting):
            count += 1
            picture = av.VideoFrame.from_ndarray(frame)
            container.mux(video.encode(picture.reformat(video.width, video.height, "yuv420p", interpolation="AREA", threads=1)))
        container.mux(video.encode(None))
        if sound is not None and samples is not None:
            wave = av.AudioFrame.from_ndarray(samples[np.newaxis, : round(Fraction(count, fps) * AUDIO_RATE_HZ)], format="fltp", layout="mono")
            wave.sample_rate, wave.time_base, wave.pts = AUDIO_RATE_HZ, Fraction(1, AUDIO_RATE_HZ), 0
            container.mux(sound.encode(wave) + sound.encode(None))
    return count


def even_size(width: int, height: int, max_height: int) -> tuple[int, int]:
    """Width and height at most `max_height` high, in proportion, each the next smaller even number as yuv420p needs."""
    reduced = min(height, max_height)
    return max(2, width * reduced // height // 2 * 2), max(2, reduced // 2 * 2)
