"""Marks stand where the face is, and the edges say how it is known."""

import cv2
import numpy as np
import pytest
import soundfile
from unit.inspection.conftest import CLIPS, MADE, MARGIN, SIZE, landmarks_of

from blemore.inspection.contact import CLIP, EDGE, GREY, LINE, RED, SHARD, contact_sheet
from blemore.inspection.films import films, spread
from blemore.inspection.opening import open_store
from blemore.inspection.plots import plot
from blemore.media.align import template
from blemore.media.clips import write_mp4
from blemore.media.shard import finish_folder, new_folder
from blemore.stores import OK


def film(results, kind, clip="A1_ang", most=64):
    return next(iter(films(open_store(results / "media" / kind / "A1.h5"), [clip], most)))


def test_landmarks_of_body_frames_are_scaled_as_their_boxes_are(results):
    body = film(results, "body")
    assert body.landmarks == pytest.approx(np.stack([landmarks_of(frame) / 2 for frame in (0, 2, 4)]), abs=1e-3)
    assert body.detected.tolist() == [True, False, True]
    assert len(body.sound) == 9600


def test_landmarks_of_crops_lie_on_the_template(results):
    faces = film(results, "faces")
    assert faces.landmarks == pytest.approx(np.stack([template(SIZE, MARGIN)] * 5), abs=1e-3)
    assert faces.detected.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize(("length", "most", "expected"), [(5, 12, [0, 1, 2, 3, 4]), (100, 3, [0, 50, 99]), (1, 5, [0]), (2, 1, [0])])
def test_pictures_are_spread_evenly(length, most, expected):
    assert spread(length, most).tolist() == expected


def edges(sheet, layout, tiles, first_line=3):
    """The colour of the left upper corner of each tile of the first row."""
    side = layout.picture + 2 * EDGE
    return [tuple(sheet[first_line * LINE, tile * side].tolist()) for tile in range(tiles)]


def test_interpolated_frames_have_a_red_edge_and_the_others_none(results):
    sheet = contact_sheet([film(results, "faces")], SHARD, "title")
    black = (0, 0, 0)
    assert edges(sheet, SHARD, 6) == [black, black, RED, black, black, black]
    assert sheet.shape == (3 * LINE + SHARD.picture + 2 * EDGE + SHARD.wave, SHARD.width, 3)


def test_frames_without_a_face_have_a_grey_edge(results):
    known = film(results, "faces")
    lost = known._replace(landmarks=np.where(np.arange(5)[:, None, None] == 4, np.nan, known.landmarks))
    assert edges(contact_sheet([lost], CLIP, ""), CLIP, 5)[4] == GREY


def test_boxes_and_landmarks_are_drawn_where_they_are(results):
    body = film(results, "body")
    tile = contact_sheet([body], CLIP, "")[3 * LINE + EDGE :, EDGE : EDGE + CLIP.picture]
    scale = CLIP.picture / 320
    margin = (CLIP.picture - round(180 * scale)) // 2
    x, y = np.round(body.landmarks[0, 0] * scale).astype(int)
    assert tile[y + margin, x].tolist() == [255, 220, 0]
    left, top = np.round(body.boxes[0, :2] * scale).astype(int)
    assert tile[top + margin, left].tolist() == [60, 220, 60]


def test_the_waveform_reaches_as_high_as_the_sound(results):
    sheet = contact_sheet([film(results, "faces")], CLIP, "")
    rows = np.flatnonzero((sheet[-CLIP.wave :] == (90, 160, 250)).all(2).any(1))
    assert (rows[0], rows[-1]) == (round(59.5 * 0.5), round(59.5 * 1.5))


def test_a_clip_without_pictures_keeps_its_line(results):
    sheet = contact_sheet([film(results, "faces", "A1_none")], SHARD, "")
    assert sheet.shape[0] == 3 * LINE + SHARD.wave


def test_a_folder_of_mp4_clips_is_a_sheet_too(results):
    folder = new_folder(results / "media/clips/A1")
    write_mp4(folder / "A1_ang.mp4", [np.full((90, 120, 3), 128, np.uint8)] * 5, None, fps=10, max_height=90, crf=23, audio_bitrate=64000)
    finish_folder(folder, ".mp4", dict(zip(CLIPS, (OK, OK, 6))), MADE | {"settings": {"fps": 10}})
    found = {one.clip: one for one in films(open_store(folder), CLIPS, 12)}
    assert (len(found["A1_ang"].pictures), len(found["A1_ang"].sound), found["A1_mix"].pictures) == (5, 8000, [])
    slow = soundfile.read(results / "media/audio/A1/A1_ang.flac")[0]
    soundfile.write(results / "media/audio/A1/A1_ang.flac", slow[:4800], 8000, subtype="PCM_24")
    assert len(next(iter(films(open_store(folder), ["A1_ang"], 12))).sound) == 4000  # half a second at any rate
    plot(open_store(folder), results / "clips.png")
    assert cv2.imread(str(results / "clips.png")).shape[1] == SHARD.width
