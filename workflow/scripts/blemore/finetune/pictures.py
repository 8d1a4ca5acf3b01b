"""Frames of a clip to normalised pixels: crops that stay in place over a clip, and what training varies."""

import random
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data.auto_augment import rand_augment_transform
from timm.data.random_erasing import RandomErasing

ENLARGED = 1.125  # before shifted crops are cut, so that they differ
RATIOS = (3 / 4, 4 / 3)  # of width to height, of random crops, as in Inception and its successors
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Frames = NDArray[np.uint8]  # (t, h, w, 3) RGB


class Pictures(NamedTuple):
    """How pictures come to a network.

    Args:
        size: side of the square that it takes, in pixels.
        crops, spatial: views of one evaluated window: the middle; or `shifted` squares from corner to corner; or the middle and its mirror image.
        crop_scale: least share of the picture that a random crop of training covers; 1 moves a crop of full height or width.
        flip: whether half of the training clips are mirrored.
        randaugment: of timm, such as m7-n4-mstd0.5; empty for none.
        erasing: probability that a rectangle of a training clip is noise.
    """

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    crops: int
    spatial: str
    crop_scale: float
    flip: bool
    randaugment: str
    erasing: float

    def views(self, frames: Frames) -> torch.Tensor:
        """Evaluated views, float32 (crops, 3, t, size, size)."""
        shifted = self.spatial == "shifted" and self.crops > 1
        frames = resize_short_side(frames, round(self.size * ENLARGED) if shifted else self.size)
        if shifted:
            return torch.stack([self.normalise(cut(frames, self.size, place, place)) for place in np.linspace(0, 1, self.crops)])
        middle = cut(frames, self.size, 0.5, 0.5)
        return torch.stack([self.normalise(middle), self.normalise(middle[:, :, ::-1])][: self.crops])

    def training(self, frames: Frames, rng: np.random.Generator) -> torch.Tensor:
        """One random view, the same change in all frames, float32 (3, t, size, size)."""
        if self.crop_scale < 1:
            frames = random_resized_crop(frames, self.size, self.crop_scale, rng)
        else:
            frames = cut(resize_short_side(frames, self.size), self.size, rng.random(), rng.random())
        if self.flip and rng.random() < 0.5:
            frames = frames[:, :, ::-1]
        if self.randaugment:
            frames = augmented(frames, self.randaugment, self.mean, int(rng.integers(2**32)))
        pixels = self.normalise(frames)
        return erased(pixels, self.erasing, int(rng.integers(2**32))) if self.erasing else pixels

    def normalise(self, frames: Frames) -> torch.Tensor:
        """(t, h, w, 3) of 0 to 255 -> float32 (3, t, h, w)."""
        scaled = (frames / np.float32(255) - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(3, 0, 1, 2)))


def resize_short_side(frames: Frames, side: int) -> Frames:
    """All frames scaled so that the shorter side has `side` pixels."""
    height, width = frames.shape[1:3]
    scale = side / min(height, width)
    return resized(frames, max(side, round(width * scale)), max(side, round(height * scale)))


def resized(frames: Frames, width: int, height: int) -> Frames:
    """Averages where frames shrink, interpolates where they grow."""
    if frames.shape[1:3] == (height, width):
        return frames
    method = cv2.INTER_AREA if width < frames.shape[2] else cv2.INTER_LINEAR
    return np.stack([np.asarray(cv2.resize(frame, (width, height), interpolation=method), np.uint8) for frame in frames])


def cut(frames: Frames, size: int, down: float, right: float) -> Frames:
    """A square of `size` pixels, 0 at the upper or left border, 1 at the lower or right one."""
    top, left = round(down * (frames.shape[1] - size)), round(right * (frames.shape[2] - size))
    return frames[:, top : top + size, left : left + size]


def random_resized_crop(frames: Frames, size: int, least: float, rng: np.random.Generator) -> Frames:
    """A rectangle of at least this share of the area and of a ratio of RATIOS, scaled to a square; smaller where it would not fit."""
    height, width = frames.shape[1:3]
    area, ratio = height * width * rng.uniform(least, 1), np.exp(rng.uniform(*np.log(RATIOS)))
    crop_width, crop_height = (max(1, min(limit, round(side))) for limit, side in ((width, np.sqrt(area * ratio)), (height, np.sqrt(area / ratio))))
    top, left = int(rng.integers(height - crop_height + 1)), int(rng.integers(width - crop_width + 1))
    return resized(frames[:, top : top + crop_height, left : left + crop_width], size, size)


def augmented(frames: Frames, policy: str, mean: tuple[float, ...], seed: int) -> Frames:
    """RandAugment with the same operations and magnitudes in every frame."""
    change = rand_augment_transform(f"rand-{policy}", {"img_mean": tuple(round(255 * value) for value in mean), "interpolation": Image.Resampling.BILINEAR})
    return np.stack([_changed(change, frame, seed) for frame in frames])


def _changed(change: object, frame: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    # timm draws from the global generators of Python and NumPy.
    random.seed(seed)
    np.random.seed(seed)
    return np.asarray(change(Image.fromarray(frame)), np.uint8)  # type: ignore[operator]


def erased(pixels: torch.Tensor, probability: float, seed: int) -> torch.Tensor:
    """A rectangle of noise at the same place in all frames, (3, t, h, w)."""
    random.seed(seed)
    torch.manual_seed(seed)
    erase = RandomErasing(probability, mode="pixel", device="cpu")
    return erase(pixels.flatten(0, 1)).unflatten(0, pixels.shape[:2])
