import io

import av
import numpy as np
import pytest
import soundfile

from blemore.features.parts import clip_parts, clip_seconds, retimed
from blemore.features.sound import SPEECH_RATE_HZ
from blemore.media.clips import AUDIO_RATE_HZ, write_mp4

ENCODING = {"fps": 30, "max_height": 64, "crf": 23, "audio_bitrate": 64000}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    frames = [np.full((64, 64, 3), 4 * n, np.uint8) for n in range(60)]
    write_mp4(path, frames, np.sin(np.arange(2 * AUDIO_RATE_HZ) * 0.05).astype(np.float32) / 2, **ENCODING)
    return path


def pictures(file):
    with av.open(file) as container:
        return [(float(frame.time), frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]


def test_a_clip_is_sent_as_it_is(clip):
    (part,) = clip_parts(clip, 1.0, False, None)
    assert part == (clip.read_bytes(), "video/mp4")


def test_sound_and_instruction_are_parts_of_their_own(clip):
    parts = clip_parts(clip, 1.0, True, "look")
    assert [part.mime_type for part in parts] == ["video/mp4", "audio/wav", "text/plain"]
    samples, rate_hz = soundfile.read(io.BytesIO(parts[1].data))
    assert rate_hz == SPEECH_RATE_HZ
    assert len(samples) == 2 * SPEECH_RATE_HZ
    assert 0.3 < np.std(samples) < 0.4


def test_a_clip_without_sound_has_no_such_part(tmp_path):
    write_mp4(tmp_path / "mute.mp4", [np.zeros((64, 64, 3), np.uint8)] * 5, None, **ENCODING)
    assert len(clip_parts(tmp_path / "mute.mp4", 1.0, True, None)) == 1


@pytest.mark.parametrize("factor", [4.0, 1.5, 0.5])
def test_slowing_down_moves_every_picture_and_changes_none(clip, factor):
    before, after = pictures(str(clip)), pictures(io.BytesIO(retimed(clip, factor)))
    assert [grey for _, grey in after] == [grey for _, grey in before]
    assert np.allclose([time for time, _ in after], [factor * time for time, _ in before], atol=1e-3)


def test_the_length_of_a_clip(clip):
    assert clip_seconds(clip) == pytest.approx(2.0)
