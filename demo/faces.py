"""Frames of a person who talks and gestures: scikit-image's astronaut (NASA, public domain), bent into other people and their expressions."""

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import skimage.data
from design import FPS, SEEN
from numpy.typing import NDArray

# Places in the photograph, in its pixels.
FACE, MOUTH, BROWS = (225, 122), (223.5, 141), ((202, 91), (250, 92))
CHIN_Y, CHEEK, SLEEVE = 185, (206, 128), (100, 260)
SHOWN_HEIGHT = 200  # of the photograph's pixels, in a frame
# Shift at parameter 1, in the photograph's pixels.
CURVE_SHIFT, OPEN_SHIFT, BROW_SHIFT, SHOULDER_SHIFT = 7.0, 6.0, 6.0, 7.0
# In heights of the frame: how far right of and below the middle a hand rests, its change at parameter 1, and half its size.
HAND_RESTS, HAND_APART, HAND_UP, HAND_SIZE = (0.34, 0.28), 0.08, 0.22, (0.06, 0.085)
SUBPIXEL_BITS = 4
EMBEDDING_SIZE = 1024
EMBEDDED_SIDE = 24


class Face(NamedTuple):
    """One actor's looks."""

    picture: NDArray[np.uint8]  # (512, 512, 3) RGB, tinted and lit
    place: NDArray[np.float32]  # (h, w, 2): where in the picture a pixel of the frame is taken from, at rest
    shifts: NDArray[np.float32]  # (4, h, w): how far further down it is taken from when a parameter is 1
    colours: NDArray[np.int64]  # (2, 3) RGB of skin and sleeve


def draw_face(rng: np.random.Generator, width: int, height: int) -> Face:
    """A person: proportions, a smooth bend of the whole picture, mirror, tint and light."""
    zoom = height / SHOWN_HEIGHT * rng.uniform(0.92, 1.08) * rng.uniform(0.94, 1.06, 2)
    mirror = rng.choice([-1, 1])
    frame = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1) - [width / 2, height / 2]
    bend = cv2.resize(rng.normal(0, 2.5, (4, 4, 2)), (width, height), interpolation=cv2.INTER_CUBIC)
    place = np.array(FACE) + frame / zoom * [mirror, 1] + bend
    picture = _light(skimage.data.astronaut(), rng)
    return Face(picture, place.astype(np.float32), _shifts(place).astype(np.float32), np.array([_colour(picture, CHEEK), _colour(picture, SLEEVE)]))


def _colour(picture: NDArray[np.uint8], place: tuple[int, int]) -> NDArray[np.int64]:
    column, row = place
    return picture[row - 2 : row + 3, column - 2 : column + 3].mean((0, 1)).round().astype(int)


def _light(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    tint, gamma = rng.normal(1, 0.05, 3), rng.uniform(0.85, 1.15)
    slope = rng.uniform(-0.2, 0.2) * np.linspace(-1, 1, picture.shape[1])
    lit = (picture / 255.0) ** gamma * tint * (1 + slope)[:, np.newaxis]
    return np.clip(255 * lit, 0, 255).astype(np.uint8)


def _shifts(place: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, h, w): corners of the mouth up and its middle down; lips apart; brows up; shoulders up. Each fades out smoothly."""
    to_mouth = place - MOUTH
    near_mouth = _bump(to_mouth, 22, 11)
    curve = CURVE_SHIFT * ((to_mouth[..., 0] / 18) ** 2 - 0.5) * near_mouth
    lips_apart = -OPEN_SHIFT * to_mouth[..., 1] / 9 * near_mouth
    brows_up = BROW_SHIFT * sum(_bump(place - brow, 15, 8) for brow in BROWS)
    shoulders_up = SHOULDER_SHIFT / (1 + np.exp((CHIN_Y - place[..., 1]) / 4))
    return np.stack([curve, lips_apart, brows_up, shoulders_up])


def _bump(offset: NDArray[np.float64], width: float, height: float) -> NDArray[np.float64]:
    return np.exp(-0.5 * ((offset[..., 0] / width) ** 2 + (offset[..., 1] / height) ** 2))


def render(face: Face, course: NDArray[np.float64], rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Frames (h, w, 3) RGB at FPS of a person who goes through a course (t, 9) of parameters, swaying."""
    height, width = face.place.shape[:2]
    brightness = rng.uniform(0.95, 1.05)
    for values, sway in zip(course[:, : len(SEEN)], _sway(len(course), rng)):
        down = np.tensordot(values[: len(face.shifts)].astype(np.float32), face.shifts, 1)
        still = cv2.remap(face.picture, face.place[..., 0], face.place[..., 1] + down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        _raise_hands(still, *values[len(face.shifts) :], face.colours.tolist())
        right, below, roll_deg = sway * [height, height, 180 / np.pi]
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), roll_deg, 1.0)
        turn[:, 2] += [right, below]
        moved = cv2.warpAffine(still, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        yield cv2.convertScaleAbs(moved, alpha=brightness).astype(np.uint8, copy=False)


def _raise_hands(frame: NDArray[np.uint8], up: float, apart: float, colours: list[list[int]]) -> None:
    """Paints both arms from the lower corners, and their hands."""
    height, width = frame.shape[:2]
    (right, below), skin, sleeve = HAND_RESTS, *colours
    for side in (-1, 1):
        hand = np.array([width / 2, height / 2]) + height * np.array([side * (right + HAND_APART * apart), below - HAND_UP * up])
        elbow = np.array([width / 2 + side * height * 0.4, 1.1 * height])
        ends = [tuple(np.round(point * 2**SUBPIXEL_BITS).astype(int).tolist()) for point in (elbow, hand)]
        cv2.line(frame, *ends, sleeve, round(1.6 * HAND_SIZE[0] * height), cv2.LINE_AA, SUBPIXEL_BITS)
        axes = tuple(round(size * height * 2**SUBPIXEL_BITS) for size in HAND_SIZE)
        cv2.ellipse(frame, ends[1], axes, 0, 0, 360, skin, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)


def _sway(n_frames: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(t, 3): right and down in frame heights, roll in radians; where the head is differs from clip to clip."""
    time_s = np.arange(n_frames)[:, np.newaxis] / FPS
    rate_hz, phase = rng.uniform(0.2, 0.7, 3), rng.uniform(0, 2 * np.pi, 3)
    rest, size = rng.normal(0, 1, 3) * [0.006, 0.006, 0.015], [0.008, 0.006, 0.02]
    return rest + size * np.sin(2 * np.pi * rate_hz * time_s + phase)


def embed(frames: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """(t, 1024): a fixed random projection of what has changed in the frames' middle since the first one, grey and small.

    It stands for ImageBind, and sees nothing but pixels. Without the difference, who it is would drown what is shown.
    """
    small = np.stack([_middle(frame) for frame in frames])
    # einsum does not go through BLAS, whose threads would decide the last bits.
    return np.einsum("tp,pe->te", small - small[0], _projection()).astype(np.float32)


def _middle(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    height, width = frame.shape[:2]
    side = round(0.6 * height)
    top, left = (height - side) // 2, (width - side) // 2
    grey = cv2.cvtColor(frame[top : top + side, left : left + side], cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (EMBEDDED_SIDE, EMBEDDED_SIDE), interpolation=cv2.INTER_AREA)
    return small.ravel().astype(np.float64) / 255


@cache
def _projection() -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(EMBEDDED_SIDE**2, EMBEDDING_SIZE))
