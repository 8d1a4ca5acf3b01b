"""MTCNN's three networks (arXiv:1604.02878; weights of facenet-pytorch), each run on the images of many frames and clips at once."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import cache, lru_cache

import cv2
import numpy as np
import torch
from facenet_pytorch import MTCNN
from facenet_pytorch.models.utils.detect_face import bbreg, generateBoundingBox, nms_numpy, rerec
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad
from torchvision.ops import nms

from blemore.media.follow import Detections, around, overlap
from blemore.media.images import shrink
from blemore.torch_setup import deterministic, resolve_device

P_SIDE, R_SIDE, O_SIDE = 12, 24, 48  # pixels of the three networks' inputs
PYRAMID_FACTOR = 0.709
# What P-Net needs to see of a frame to propose what it would of the whole of it: sides of the face on each side of it, and the range of its own window's sides.
AROUND_SIDES, AROUND_WINDOWS = 0.35, (0.45, 1.4)
AROUND_OVERLAP = 0.25  # with the face, from which a proposal counts
# Images in every call of P-, R- and O-Net. A call is filled up with black, because the number of images in it changes the last bits.
CHUNKS = {"cpu": (1, 24, 4), "cuda": (16, 1024, 512)}
LOOK_CHUNK = {"cpu": 2, "cuda": 512}  # the same for O-Net alone, which is often asked for one face
CLIPS_AT_ONCE = {"cpu": 1, "cuda": 16}  # that fill these calls

Pictures = NDArray[np.uint8] | NDArray[np.float32]
Cutter = Callable[[NDArray[np.uint8], NDArray[np.floating], int], Pictures]


class Cascade:
    """Searches frames for faces, and looks at squares in which one is expected; what an image gives does not depend on the others."""

    def __init__(self, mtcnn: MTCNN) -> None:
        self._nets = [deepcopy(net).to(memory_format=torch.channels_last) for net in (mtcnn.pnet, mtcnn.rnet, mtcnn.onet)]
        self._device = mtcnn.device
        self._chunks, self._look_chunk = CHUNKS[self._device.type], LOOK_CHUNK[self._device.type]
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
        refined = self._refine(reduced, self._propose(reduced), cut)
        scales = [torch.tensor(np.divide(frame.shape[1::-1], small.shape[1::-1]), dtype=torch.float32) for frame, small in zip(frames, reduced)]
        return self._confirm(frames, [rerec(squares * scale.repeat(2)) for squares, scale in zip(refined, scales)], cut)

    @torch.inference_mode()
    def detect_around(self, places: Sequence[tuple[NDArray[np.uint8], NDArray[np.float32]]]) -> list[Detections]:
        """The faces that `MTCNN.detect` finds about a box (4,) in each of many frames as they are: its windows there, at its scales and on its grid.

        What it would find there of a far larger or smaller face, or through proposals that hardly overlap with the box, is left out.
        """
        frames = [frame for frame, _ in places]
        proposed = [self._propose_around(frame, box) for frame, box in places]
        return self._confirm(frames, self._refine(frames, proposed, cut_exactly), cut_exactly)

    def look(self, patches: NDArray[np.uint8], squares: NDArray[np.float32]) -> Detections:
        """O-Net alone: the face in each of n squares, also where its probability is low.

        Args:
            patches: (n, 48, 48, 3), by `cut`.
            squares: (n, 4) where they were cut, in the pixels that the answer is to be in.

        Returns:
            n rows.
        """
        return self._look(patches, squares, self._look_chunk)

    def _look(self, patches: Pictures, squares: NDArray[np.float32], chunk: int) -> Detections:
        offsets, points, probability = self._run(2, patches, chunk)
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
        found: list[list[Tensor]] = [[] for _ in frames]
        for scale in self._scales(frames[0]):
            height, width = _scaled(frames[0], scale)
            resized = np.stack([np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8) for frame in frames])
            offsets, probability = self._nets[0](self._images(resized, self._chunks[0]))
            candidates, owners = (field.cpu() for field in generateBoundingBox(offsets, probability[:, 1], scale, self._thresholds[0]))
            for index in range(len(frames)):
                found[index].append(_suppress(candidates[owners == index], 0.5))
        return [_squares(each) for each in found]

    def _scales(self, frame: NDArray[np.uint8]) -> Iterator[float]:
        """Of the pyramid, from the smallest faces on."""
        scale = P_SIDE / self._min_face_px
        while min(frame.shape[:2]) * scale >= P_SIDE:
            yield scale
            scale *= PYRAMID_FACTOR

    def _propose_around(self, frame: NDArray[np.uint8], box: NDArray[np.float32]) -> Tensor:
        """P-Net about a box: those squares (n, 4) that overlap with it."""
        (square,) = around(box[np.newaxis])
        side = float(square[2] - square[0])
        surroundings = square + AROUND_SIDES * side * np.array([-1, -1, 1, 1])
        scales = [scale for scale in self._scales(frame) if AROUND_WINDOWS[0] * side <= P_SIDE / scale <= AROUND_WINDOWS[1] * side]
        squares = _squares([self._scan_part(frame, surroundings, scale) for scale in scales])
        return squares[torch.from_numpy(overlap(box[np.newaxis], squares.numpy())[0] >= AROUND_OVERLAP)]

    def _scan_part(self, frame: NDArray[np.uint8], part: NDArray[np.float64], scale: float) -> Tensor:
        """P-Net on a part (left, top, right, bottom, in its pixels) of a frame at a scale, on the grid of the whole: candidates."""
        scaled = _scaled(frame, scale)
        spans = [_on_grid(part[axis::2], size, count) for axis, size, count in zip((1, 0), frame.shape, scaled)]
        if min(stop - start for start, stop in spans) < P_SIDE:
            return torch.empty(0, 9)
        pixels = area_means(frame, *(edges_of(size, count, *span) for size, count, span in zip(frame.shape, scaled, spans)))
        above, before = (start // 2 for start, _ in spans)
        offsets, probability = (pad(field, (before, 0, above, 0)).cpu() for field in self._nets[0](self._images(pixels[np.newaxis], 1)))
        candidates, _ = generateBoundingBox(offsets, probability[:, 1], scale, self._thresholds[0])
        return _suppress(candidates, 0.5)

    def _refine(self, frames: Sequence[NDArray[np.uint8]], proposed: Sequence[Tensor], cutter: Cutter) -> list[Tensor]:
        """R-Net on every proposal: fewer and better squares (n, 4) per frame."""
        patches = np.concatenate([cutter(frame, squares.numpy(), R_SIDE) for frame, squares in zip(frames, proposed)])
        offsets, probability = self._run(1, patches, self._chunks[1])
        refined, start = [], 0
        for squares in proposed:
            rows = slice(start, start := start + len(squares))
            candidates = torch.cat([squares, probability[rows, 1:], offsets[rows]], 1)
            candidates = _suppress(candidates[candidates[:, 4] > self._thresholds[1]], 0.7)
            refined.append(rerec(bbreg(candidates[:, :4], candidates[:, 5:])))
        return refined

    def _confirm(self, frames: Sequence[NDArray[np.uint8]], refined: Sequence[Tensor], cutter: Cutter) -> list[Detections]:
        """O-Net on what R-Net left: the faces of each frame."""
        patches = np.concatenate([cutter(frame, squares.numpy(), O_SIDE) for frame, squares in zip(frames, refined)])
        looked = self._look(patches, torch.cat(list(refined)).numpy(), self._chunks[2])
        found, start = [], 0
        for squares in refined:
            rows = slice(start, start := start + len(squares))
            boxes, landmarks, probability = (field[rows][looked.probability[rows] > self._thresholds[2]] for field in looked)
            kept = nms_numpy(boxes, probability, 0.7, "Min").astype(int) if len(boxes) else slice(0)
            found.append(Detections(boxes[kept], landmarks[kept], probability[kept]))
        return found

    @torch.inference_mode()
    def _run(self, stage: int, patches: Pictures, chunk: int) -> list[Tensor]:
        """The outputs of one network for n patches, on the CPU."""
        net = self._nets[stage]
        answers = [net(self._images(patches[start : start + chunk], chunk)) for start in range(0, max(1, len(patches)), chunk)]
        return [torch.cat(field)[: len(patches)].cpu() for field in zip(*answers)]

    def _images(self, pixels: Pictures, count: int) -> Tensor:
        """`count` images (count, 3, h, w) on the device, black after the given ones; channels last, in which pooling is three times as fast."""
        filled = np.zeros((count, *pixels.shape[1:]), pixels.dtype)
        filled[: len(pixels)] = pixels
        return torch.from_numpy(filled).to(self._device).permute(0, 3, 1, 2).float().sub_(127.5).mul_(0.0078125)


def cut(frame: NDArray[np.uint8], squares: NDArray[np.floating], side: int) -> NDArray[np.uint8]:
    """What a frame shows in each of n squares, (n, side, side, 3); a square that reaches beyond the frame is squeezed, as MTCNN does."""
    patches = np.zeros((len(squares), side, side, 3), np.uint8)
    for patch, piece in zip(patches, _pieces(frame, squares)):
        if piece.size:
            cv2.resize(piece, (side, side), dst=patch, interpolation=cv2.INTER_AREA)
    return patches


def cut_exactly(frame: NDArray[np.uint8], squares: NDArray[np.floating], side: int) -> NDArray[np.float32]:
    """The same by facenet-pytorch's own averages, which are not rounded: a few times slower."""
    patches = np.zeros((len(squares), side, side, 3), np.float32)
    for patch, piece in zip(patches, _pieces(frame, squares)):
        if piece.size:
            patch[:] = area_means(piece, *(edges_of(size, side, 0, side) for size in piece.shape[:2]))
    return patches


def _pieces(frame: NDArray[np.uint8], squares: NDArray[np.floating]) -> Iterator[NDArray[np.uint8]]:
    height, width = frame.shape[:2]
    for left, top, right, bottom in np.trunc(squares).astype(int):
        yield frame[max(top, 1) - 1 : max(0, min(bottom, height)), max(left, 1) - 1 : max(0, min(right, width))]


Edges = tuple[NDArray[np.intp], NDArray[np.intp]]


@lru_cache(maxsize=1024)
def edges_of(size: int, count: int, start: int, stop: int) -> Edges:
    """Where the pixels from `start` to `stop` of a side that is reduced from `size` to `count` pixels begin and end: PyTorch's "area" interpolation."""
    pixels = np.arange(start, stop)
    return pixels * size // count, -(-(pixels + 1) * size // count)


def area_means(frame: NDArray[np.uint8], rows: Edges, columns: Edges) -> NDArray[np.float32]:
    """Means (n, m, 3) over n spans of rows by m of columns, from sums that are exact."""
    (top, bottom), (left, right) = rows, columns
    sums = cv2.integral(frame[top[0] : bottom[-1], left[0] : right[-1]])
    spans = np.take(sums, bottom - top[0], 0) - np.take(sums, top - top[0], 0)
    boxes = np.take(spans, right - left[0], 1) - np.take(spans, left - left[0], 1)
    return np.divide(boxes, np.outer(bottom - top, right - left)[..., np.newaxis], dtype=np.float32)


def _scaled(frame: NDArray[np.uint8], scale: float) -> tuple[int, int]:
    """Height and width of a frame at a scale of the pyramid."""
    height, width = frame.shape[:2]
    return int(height * scale + 1), int(width * scale + 1)


def _on_grid(span: NDArray[np.float64], size: int, count: int) -> tuple[int, int]:
    """The pixels of a side reduced from `size` to `count` that a span of it reaches; P-Net's windows begin at every second one."""
    start, stop = span * count / size
    return max(0, int(start)) // 2 * 2, min(count, (int(stop) + 2) // 2 * 2)


def _suppress(candidates: Tensor, overlap: float) -> Tensor:
    """Without the rows (box, probability, ...) that overlap with a likelier one."""
    return candidates[nms(candidates[:, :4], candidates[:, 4], overlap)]


def _squares(at_scales: Sequence[Tensor]) -> Tensor:
    """Squares (n, 4) around P-Net's boxes after its own correction; for each scale rows as `generateBoundingBox` gives them."""
    candidates = _suppress(torch.cat([torch.empty(0, 9), *at_scales]), 0.7)
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
