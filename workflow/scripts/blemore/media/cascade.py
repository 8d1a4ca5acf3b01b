"""MTCNN's three networks (arXiv:1604.02878; weights of facenet-pytorch), each run on the images of many frames and clips at once."""

from collections.abc import Sequence
from copy import deepcopy
from functools import cache

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from facenet_pytorch.models.utils.detect_face import bbreg, generateBoundingBox, nms_numpy, rerec
from numpy.typing import NDArray
from torch import Tensor
from torchvision.ops import nms

from blemore.media.follow import Detections
from blemore.media.images import shrink
from blemore.torch_setup import deterministic, resolve_device

P_SIDE, R_SIDE, O_SIDE = 12, 24, 48  # pixels of the three networks' inputs
PYRAMID_FACTOR = 0.709
# Images in every call of P-, R- and O-Net. A call is filled up with black, because the number of images in it changes the last bits.
CHUNKS = {"cpu": (1, 8, 2), "cuda": (16, 1024, 512)}
CLIPS_AT_ONCE = {"cpu": 1, "cuda": 16}  # that fill these calls


class Cascade:
    """Searches frames for faces, and looks at squares in which one is expected; what an image gives does not depend on the others."""

    def __init__(self, mtcnn: MTCNN) -> None:
        self._nets = [deepcopy(net).to(memory_format=torch.channels_last) for net in (mtcnn.pnet, mtcnn.rnet, mtcnn.onet)]
        self._device = mtcnn.device
        self._chunks = CHUNKS[self._device.type]
        self._thresholds = mtcnn.thresholds
        self._min_face_px = mtcnn.min_face_size

    @torch.inference_mode()
    def search(self, searches: Sequence[tuple[NDArray[np.uint8], int | None]]) -> list[Detections]:
        """All faces of each of many frames, in its pixels: `MTCNN.detect`, but for rounding.

        Args:
            searches: frame (h, w, 3), of any size, and the height that it is reduced to for P- and R-Net (None: as it is).
                O-Net, which gives the landmarks, works on the frame as it is.
        """
        frames = [frame for frame, _ in searches]
        reduced = [frame if height is None else shrink(frame, height / frame.shape[0]) for frame, height in searches]
        refined = self._refine(reduced, self._propose(reduced))
        scales = [torch.tensor(np.divide(frame.shape[1::-1], small.shape[1::-1]), dtype=torch.float32) for frame, small in zip(frames, reduced)]
        return self._confirm(frames, [rerec(squares * scale.repeat(2)) for squares, scale in zip(refined, scales)])

    def look(self, patches: NDArray[np.uint8], squares: NDArray[np.float32]) -> Detections:
        """O-Net alone: the face in each of n squares, also where its probability is low.

        Args:
            patches: (n, 48, 48, 3), by `cut`.
            squares: (n, 4) where they were cut, in the pixels that the answer is to be in.

        Returns:
            n rows.
        """
        offsets, points, probability = self._run(2, patches)
        boxes = torch.from_numpy(squares.astype(np.float32))
        size = (boxes[:, 2:] - boxes[:, :2] + 1)[:, np.newaxis]
        landmarks = size * points.reshape(-1, 2, 5).transpose(1, 2) + boxes[:, np.newaxis, :2] - 1
        return Detections(bbreg(boxes, offsets).numpy(), landmarks.numpy(), probability[:, 1].numpy())

    def _propose(self, frames: Sequence[NDArray[np.uint8]]) -> list[Tensor]:
        """P-Net over a pyramid of each frame: squares (n, 4) per frame."""
        proposed: list[Tensor] = [torch.empty(0, 4)] * len(frames)
        for size in sorted({frame.shape for frame in frames}):
            same = [index for index, frame in enumerate(frames) if frame.shape == size]
            for start in range(0, len(same), self._chunks[0]):
                chunk = same[start : start + self._chunks[0]]
                for index, squares in zip(chunk, self._scan([frames[index] for index in chunk])):
                    proposed[index] = squares
        return proposed

    def _scan(self, frames: Sequence[NDArray[np.uint8]]) -> list[Tensor]:
        height, width = frames[0].shape[:2]
        scale = P_SIDE / self._min_face_px
        found: list[list[Tensor]] = [[] for _ in frames]
        while min(height, width) * scale >= P_SIDE:
            size = (int(width * scale + 1), int(height * scale + 1))
            resized = np.stack([np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8) for frame in frames])
            offsets, probability = self._nets[0](self._images(resized, self._chunks[0]))
            candidates, owners = (field.cpu() for field in generateBoundingBox(offsets, probability[:, 1], scale, self._thresholds[0]))
            for index in range(len(frames)):
                found[index].append(_suppress(candidates[owners == index], 0.5))
            scale *= PYRAMID_FACTOR
        return [_squares(_suppress(torch.cat(each), 0.7)) if each else torch.empty(0, 4) for each in found]

    def _refine(self, frames: Sequence[NDArray[np.uint8]], proposed: Sequence[Tensor]) -> list[Tensor]:
        """R-Net on every proposal: fewer and better squares (n, 4) per frame."""
        patches = _cut_all(frames, proposed, R_SIDE)
        offsets, probability = self._run(1, patches)
        refined, start = [], 0
        for squares in proposed:
            rows = slice(start, start := start + len(squares))
            candidates = torch.cat([squares, probability[rows, 1:], offsets[rows]], 1)
            candidates = _suppress(candidates[candidates[:, 4] > self._thresholds[1]], 0.7)
            refined.append(rerec(bbreg(candidates[:, :4], candidates[:, 5:])))
        return refined

    def _confirm(self, frames: Sequence[NDArray[np.uint8]], refined: Sequence[Tensor]) -> list[Detections]:
        """O-Net on what R-Net left: the faces of each frame."""
        patches = _cut_all(frames, refined, O_SIDE)
        looked = self.look(patches, torch.cat([torch.empty(0, 4), *refined]).numpy())
        found, start = [], 0
        for squares in refined:
            rows = slice(start, start := start + len(squares))
            boxes, landmarks, probability = (field[rows][looked.probability[rows] > self._thresholds[2]] for field in looked)
            kept = nms_numpy(boxes, probability, 0.7, "Min").astype(int) if len(boxes) else slice(0)
            found.append(Detections(boxes[kept], landmarks[kept], probability[kept]))
        return found

    @torch.inference_mode()
    def _run(self, stage: int, patches: NDArray[np.uint8]) -> list[Tensor]:
        """The outputs of one network for n patches, on the CPU."""
        net, chunk = self._nets[stage], self._chunks[stage]
        answers = [net(self._images(patches[start : start + chunk], chunk)) for start in range(0, max(1, len(patches)), chunk)]
        return [torch.cat(field)[: len(patches)].cpu() for field in zip(*answers)]

    def _images(self, pixels: NDArray[np.uint8], count: int) -> Tensor:
        """`count` images (count, 3, h, w) on the device, black after the given ones; channels last, in which pooling is three times as fast."""
        filled = np.zeros((count, *pixels.shape[1:]), np.uint8)
        filled[: len(pixels)] = pixels
        return torch.from_numpy(filled).to(self._device).permute(0, 3, 1, 2).float().sub_(127.5).mul_(0.0078125)


def cut(frame: NDArray[np.uint8], squares: NDArray[np.floating], side: int) -> NDArray[np.uint8]:
    """What a frame shows in each of n squares, (n, side, side, 3); a square that reaches beyond the frame is squeezed, as MTCNN does."""
    height, width = frame.shape[:2]
    patches = np.zeros((len(squares), side, side, 3), np.uint8)
    for patch, (left, top, right, bottom) in zip(patches, np.trunc(squares).astype(int)):
        piece = frame[max(top, 1) - 1 : min(bottom, height), max(left, 1) - 1 : min(right, width)]
        if piece.size:
            cv2.resize(piece, (side, side), dst=patch, interpolation=cv2.INTER_AREA)
    return patches


def _cut_all(frames: Sequence[NDArray[np.uint8]], squares: Sequence[Tensor], side: int) -> NDArray[np.uint8]:
    """The patches of all squares of all frames, in order."""
    return np.concatenate([np.empty((0, side, side, 3), np.uint8), *(cut(frame, rows.numpy(), side) for frame, rows in zip(frames, squares))])


def _suppress(candidates: Tensor, overlap: float) -> Tensor:
    """Without the rows (box, probability, ...) that overlap with a likelier one."""
    return candidates[nms(candidates[:, :4], candidates[:, 4], overlap)]


def _squares(candidates: Tensor) -> Tensor:
    """Squares around P-Net's boxes after its own correction, rows as `generateBoundingBox` gives them."""
    size = (candidates[:, 2:4] - candidates[:, :2]).repeat(1, 2)
    return rerec(candidates[:, :4] + candidates[:, 5:] * size)


@cache
def load_mtcnn(min_face_px: float, thresholds: tuple[float, ...], device: str) -> MTCNN:
    """facenet-pytorch's MTCNN with the weights of its package, once per process; `auto` is the GPU where there is one.

    Args:
        min_face_px: side of the smallest face in pixels of the frame that is searched.
    """
    deterministic()
    return MTCNN(keep_all=True, min_face_size=min_face_px, thresholds=list(thresholds), device=torch.device(resolve_device(device))).eval()


@cache
def load_cascade(min_face_px: float, thresholds: tuple[float, ...], device: str) -> Cascade:
    """The same with the networks in batches."""
    return Cascade(load_mtcnn(min_face_px, thresholds, device))
