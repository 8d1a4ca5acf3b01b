"""Which frames or seconds of a clip a network sees: at random in training, by the same rule for every clip in evaluation."""

import zlib

import numpy as np
from numpy.typing import NDArray


def generator(seed: int, epoch: int, clip: str) -> np.random.Generator:
    """Random numbers of one clip in one epoch, whatever process reads it and whatever was read before."""
    return np.random.default_rng([seed, epoch, zlib.crc32(clip.encode())])


def window(n_frames: int, frames: int, stride: int, start: int) -> list[int]:
    """Every `stride`-th frame from `start` on; a clip that ends before runs backwards, as between two mirrors.

    So a short clip neither stops nor jumps nor plays at another speed, which would tell its length.
    """
    positions = start + stride * np.arange(frames)
    period = max(2 * (n_frames - 1), 1)
    return np.minimum(positions % period, -positions % period).tolist() if n_frames > 1 else [0] * frames


def random_start(n_frames: int, frames: int, stride: int, random: np.random.Generator) -> int:
    """A start from which the window fits, each as likely; 0 where the clip is shorter."""
    return int(random.integers(last_start(n_frames, frames, stride) + 1))


def even_starts(n_frames: int, frames: int, stride: int, segments: int) -> list[int]:
    """Starts from the first to the last one possible at equal distances; the middle one for a single segment."""
    last = last_start(n_frames, frames, stride)
    return [last // 2] if segments == 1 else np.linspace(0, last, segments).round().astype(int).tolist()


def last_start(n_frames: int, frames: int, stride: int) -> int:
    """The latest start from which the window fits."""
    return max(n_frames - 1 - stride * (frames - 1), 0)


def spread(n_frames: int, frames: int, offsets: NDArray[np.floating] | float) -> list[int]:
    """One frame of each of `frames` equal parts of the clip.

    Args:
        offsets: where in its part, from 0 (its beginning) to below 1.
    """
    positions = np.floor((np.arange(frames) + offsets) / frames * n_frames).astype(int)
    return np.minimum(positions, n_frames - 1).tolist()


def looped(samples: NDArray[np.float32], length: int, start: int) -> NDArray[np.float32]:
    """`length` samples from `start` on; sound that ends before begins again."""
    return samples[(start + np.arange(length)) % len(samples)]
