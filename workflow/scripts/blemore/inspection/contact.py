"""Contact sheets: pictures of clips side by side, with box, landmarks and waveform, so that a thousand clips can be checked by eye."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from blemore.inspection.films import Film

GREEN, YELLOW, RED, GREY, WHITE, BLUE = (60, 220, 60), (255, 220, 0), (230, 40, 40), (120, 120, 120), (240, 240, 240), (90, 160, 250)
LEGEND = "green: box   yellow: landmarks   red edge: interpolated, no detection supports it   grey edge: no face"
LINE = 18  # pixels of a line of text
EDGE = 3


class Layout(NamedTuple):
    """Sizes in pixels; a clip takes as many rows of pictures as it needs."""

    picture: int
    columns: int
    wave: int

    @property
    def width(self) -> int:
        return self.columns * (self.picture + 2 * EDGE)


SHARD = Layout(picture=96, columns=12, wave=32)
CLIP = Layout(picture=160, columns=8, wave=120)


def contact_sheet(films: Sequence[Film], layout: Layout, title: str) -> NDArray[np.uint8]:
    """One picture, RGB (h, w, 3): the title, the legend, then every clip with a line of text, its pictures and its waveform."""
    strips = [_text(title, layout.width), _text(LEGEND, layout.width, GREY)]
    for film in films:
        strips += [_text(_caption(film), layout.width), *_rows(film, layout), _waveform(film.sound, layout)]
    return np.concatenate(strips)


def _caption(film: Film) -> str:
    known = np.isfinite(film.landmarks).all((1, 2)) if len(film.landmarks) else np.zeros(0, bool)
    interpolated = int((known & ~film.detected).sum())
    words = [film.clip, film.status, f"{len(film.pictures)} of {film.length} pictures"]
    words += [f"{film.times_s[0]:.2f} to {film.times_s[-1]:.2f} s"] if film.pictures else []
    words += [f"{interpolated} interpolated"] if interpolated else []
    return "   ".join([*words, *([] if len(film.sound) else ["no sound"])])


def _rows(film: Film, layout: Layout) -> list[NDArray[np.uint8]]:
    tiles = [_tile(film, index, layout.picture) for index in range(len(film.pictures))]
    rows = []
    for start in range(0, len(tiles), layout.columns):
        row = np.zeros((layout.picture + 2 * EDGE, layout.width, 3), np.uint8)
        part = np.concatenate(tiles[start : start + layout.columns], axis=1)
        row[:, : part.shape[1]] = part
        rows.append(row)
    return rows


def _tile(film: Film, index: int, side: int) -> NDArray[np.uint8]:
    """A square with the whole picture in it, its marks, and an edge that says how the face is known."""
    picture, landmarks, box = film.pictures[index], film.landmarks[index], film.boxes[index]
    scale = side / max(picture.shape[:2])
    height, width = (max(1, round(length * scale)) for length in picture.shape[:2])
    reduced = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    if np.isfinite(box).all():
        left, top, right, bottom = (int(value) for value in np.round(box * scale))
        cv2.rectangle(reduced, (left, top), (right, bottom), GREEN, 1)
    known = bool(np.isfinite(landmarks).all())
    for x, y in np.round(landmarks * scale) if known else []:
        cv2.circle(reduced, (int(x), int(y)), max(1, side // 80), YELLOW, -1)
    edge = (RED if not film.detected[index] else (0, 0, 0)) if known else GREY
    tile = np.full((side + 2 * EDGE, side + 2 * EDGE, 3), edge, np.uint8)
    tile[EDGE:-EDGE, EDGE:-EDGE] = 0
    top, left = EDGE + (side - height) // 2, EDGE + (side - width) // 2
    tile[top : top + height, left : left + width] = reduced
    return tile


def _waveform(sound: NDArray[np.float32], layout: Layout) -> NDArray[np.uint8]:
    """Least and largest sample of each column of pixels."""
    strip = np.zeros((layout.wave, layout.width, 3), np.uint8)
    if len(sound) < layout.width:
        return strip
    parts = np.array_split(sound, layout.width)
    middle = (layout.wave - 1) / 2
    for column, part in enumerate(parts):
        high, low = (round(middle * (1 - float(value))) for value in (part.max(), part.min()))
        strip[high : low + 1, column] = BLUE
    return strip


def _text(text: str, width: int, colour: tuple[int, int, int] = WHITE) -> NDArray[np.uint8]:
    strip = np.zeros((LINE, width, 3), np.uint8)
    cv2.putText(strip, text, (4, LINE - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
    return strip
