import av
import cv2
import numpy as np
import pytest
from skimage.data import astronaut
from unit.media.recordings import ffmpeg_frames

from blemore.media.audio import read_audio
from blemore.media.clips import AUDIO_RATE_HZ, even_size, write_mp4
from blemore.media.video import read_video

ENCODING = {"fps": 30, "max_height": 720, "crf": 23, "audio_bitrate": 96000}
HUM = (0.4 * np.sin(2 * np.pi * 200 * np.arange(AUDIO_RATE_HZ) / AUDIO_RATE_HZ)).astype(np.float32)


def gradient(count=30, height=90, width=121):
    ramp = np.linspace(0, 200, width).astype(np.uint8)
    return [np.repeat(np.broadcast_to(np.roll(ramp, 3 * index), (height, width))[..., np.newaxis], 3, axis=2) for index in range(count)]


@pytest.mark.parametrize(
    ("size", "max_height", "expected"),
    [((1920, 1080), 720, (1280, 720)), ((360, 288), 720, (360, 288)), ((607, 1079), 720, (404, 720)), ((121, 91), 91, (120, 90)), ((3, 1), 720, (2, 2))],
)
def test_sides_are_even_and_the_clip_is_never_enlarged(size, max_height, expected):
    assert even_size(*size, max_height) == expected


def test_the_clip_is_h264_and_aac_that_the_ffmpeg_program_reads(tmp_path):
    write_mp4(tmp_path / "clip.mp4", gradient(), HUM, **ENCODING)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.codec_context.pix_fmt, audio.codec_context.name) == ("h264", "yuv420p", "aac")
    assert len(ffmpeg_frames(tmp_path / "clip.mp4")) == 30


def test_pictures_and_sound_come_back_in_step(tmp_path):
    frames = gradient()
    write_mp4(tmp_path / "clip.mp4", frames, HUM, **ENCODING)
    read = read_video(tmp_path / "clip.mp4", 30).frames
    assert np.abs(read[:, :, :118].astype(int) - np.array(frames)[:, :90, :118]).mean() < 6
    samples = read_audio(tmp_path / "clip.mp4", AUDIO_RATE_HZ)
    assert len(samples) == AUDIO_RATE_HZ
    assert samples[4000:-4000] == pytest.approx(HUM[4000:-4000], abs=0.05)


def swaying_portrait():
    """A photograph that moves, with sensor noise: what libx264's macroblock tree has work with."""
    generator, frames = np.random.default_rng(0), []
    for index in range(30):
        move = np.array([[0.53, 0, 4 * np.sin(0.36 * index)], [0, 0.53, 3 * np.cos(0.24 * index)]])
        frame = cv2.warpAffine(astronaut()[:300, 80:440], move, (192, 160), borderMode=cv2.BORDER_REFLECT)
        frames.append(np.clip(frame + generator.normal(0, 5, frame.shape), 0, 255).astype(np.uint8))
    return frames


def test_what_lay_in_memory_before_changes_no_byte(tmp_path):
    """With the macroblock tree, ten encodings of these frames on a processor with AVX-512 were ten different files."""
    generator, frames, files = np.random.default_rng(0), swaying_portrait(), set()
    for _ in range(10):
        clutter = [np.full(generator.integers(1_000, 600_000), generator.integers(0, 255), np.uint8) for _ in range(20)]
        kept = clutter[::3]
        del clutter
        write_mp4(tmp_path / "clip.mp4", frames, None, **ENCODING)
        files.add((tmp_path / "clip.mp4").read_bytes())
        del kept
    assert len(files) == 1


def test_a_clip_without_sound_has_no_audio_track(tmp_path):
    write_mp4(tmp_path / "clip.mp4", gradient(5), None, **ENCODING)
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert not container.streams.audio


def test_the_same_input_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_mp4(tmp_path / f"{name}.mp4", gradient(), HUM, **ENCODING)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
