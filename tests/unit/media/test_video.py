import gc
from contextlib import closing
from fractions import Fraction
from itertools import accumulate
from types import SimpleNamespace
from unittest.mock import Mock

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.media.recordings import at_rate, checksum, ffmpeg_frames, levels, run_ffmpeg, write_video

from blemore.media import video
from blemore.media.video import DecodeError, Picture, iter_video, read_video, shown_size

CASES = {
    "face_then_none_vfr_late_audio.mov": 192,
    "no_face_wrong_frame_count.mp4": 119,
    "several_faces_1080p.mp4": 126,
    "single_face.mp4": 72,
    "upper_body_no_audio.mkv": 63,
    "rotated_270_mono.mp4": 90,
}


def shown(path, fps):
    """The grey level / 2 of each frame, which is the number of the picture it shows."""
    return [int(frame.pixels[-1, -1, 0]) // 2 for frame in iter_video(path, fps)]


@pytest.mark.parametrize(("name", "count"), CASES.items())
def test_every_frame_of_the_cases_is_that_of_the_ffmpeg_program(media_folder, name, count):
    path = media_folder / "cases" / name
    reference = ffmpeg_frames(path)
    expected = [reference[index][1] for index in at_rate([time_s for time_s, _ in reference], 30)]
    assert len(expected) == count
    assert [checksum(frame.pixels) for frame in iter_video(path, 30)] == expected


def test_every_frame_of_the_talkers_is_that_of_the_ffmpeg_program(media_folder):
    for path in sorted((media_folder / "talkers").glob("*.mpg")):
        reference = ffmpeg_frames(path)
        expected = [reference[index][1] for index in at_rate([time_s for time_s, _ in reference], 30)]
        assert len(expected) == 90
        assert [checksum(frame.pixels) for frame in iter_video(path, 30)] == expected


@pytest.mark.parametrize("name", ["talkers/brbk7n.mpg", "cases/single_face.mp4"])
def test_opencv_decodes_the_same_frames(media_folder, name):
    path = media_folder / name
    capture = cv2.VideoCapture(str(path))
    frames = read_video(path, capture.get(cv2.CAP_PROP_FPS)).frames
    for frame in frames:
        found, other = capture.read()
        assert found
        assert np.abs(frame.astype(int) - other[..., ::-1]).mean() < 2
    assert not capture.read()[0]


def test_whole_and_streamed_reading_agree(media_folder):
    path = media_folder / "talkers" / "lbax4n.mpg"
    video = read_video(path, 12.5)
    streamed = list(iter_video(path, 12.5))
    assert video.frames.dtype == np.uint8
    assert np.array_equal(video.frames, [frame.pixels for frame in streamed])
    assert video.timestamps_s.tolist() == [frame.timestamp_s for frame in streamed] == [k / 12.5 for k in range(len(streamed))]


def test_streaming_decodes_only_as_far_as_it_is_asked(media_folder):
    stream = iter_video(media_folder / "talkers" / "lbax4n.mpg", 25)
    next(iter(stream))
    assert stream.source.duration_s < 1


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(start=st.integers(0, 3000), gaps=st.lists(st.integers(1, 200), min_size=1, max_size=30), fps=st.sampled_from([7, 12.5, 24, 30, 60]))
def test_any_variable_rate_follows_the_time_rule(tmp_path, start, gaps, fps):
    times_ms = list(accumulate(gaps, initial=start))
    path = write_video(tmp_path / "variable.mkv", levels(len(times_ms), 16, 16), times_ms)
    assert shown(path, fps) == at_rate([Fraction(time, 1000) for time in times_ms], fps)


def test_a_stream_that_is_closed_early_has_decoded_the_next_three_pictures_and_no_more(tmp_path):
    """Four frames need five pictures, which are in the second three; the third three were begun when those came."""
    path = write_video(tmp_path / "plain.mkv", levels(20), range(0, 800, 40))
    stream = iter_video(path, 25)
    with closing(iter(stream)) as frames:
        shown = [frame.timestamp_s for frame, _ in zip(frames, range(3))]
    assert shown == [0, 0.04, 0.08]
    assert stream.source.duration_s == pytest.approx(9 * 0.04)


def test_pictures_that_were_shown_do_not_wait_for_the_garbage_collector(tmp_path):
    stream = iter_video(write_video(tmp_path / "plain.mkv", levels(40), range(0, 1600, 40)), 25)
    gc.collect()
    gc.disable()
    try:
        before = living_pictures()
        alive = [living_pictures() for _ in stream]
    finally:
        gc.enable()
    assert len(alive) == 40
    assert max(alive) - before <= 3 * video.AHEAD


def living_pictures():
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())


def test_a_stream_can_be_read_again(tmp_path):
    stream = iter_video(write_video(tmp_path / "plain.mkv", levels(5), range(0, 200, 40)), 25)
    first, second = ([frame.timestamp_s for frame in stream] for _ in range(2))
    assert first == second
    assert len(first) == 5


def test_a_late_start_is_time_zero(tmp_path):
    path = write_video(tmp_path / "late.mkv", levels(5), [2000, 2100, 2200, 2300, 2400])
    stream = iter_video(path, 10)
    assert [frame.timestamp_s for frame in stream] == [0, 0.1, 0.2, 0.3, 0.4]
    assert (stream.source.start_s, stream.source.duration_s) == (2, Fraction(1, 2))


def test_a_single_picture_lasts_as_long_as_the_file_says(tmp_path):
    path = tmp_path / "one.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        container.mux(stream.encode(av.VideoFrame(32, 32)) + stream.encode(None))
    assert len(list(iter_video(path, 30))) == 6


def test_four_tenths_of_a_second_are_twelve_frames(tmp_path):
    assert len(read_video(write_video(tmp_path / "short.mkv", levels(10), range(0, 400, 40)), 30).frames) == 12


def test_too_short_for_one_frame_is_said(tmp_path):
    path = write_video(tmp_path / "short.mkv", levels(2), [0, 10])
    assert list(iter_video(path, 10)) == []
    with pytest.raises(DecodeError, match=r"short\.mkv: it is too short for one frame at 10 per second$"):
        read_video(path, 10)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [(False, False), (True, False), (False, True)])
def test_every_display_matrix_is_applied_as_ffmpeg_does(tmp_path, degrees, mirrored):
    frame = np.random.default_rng(1).integers(0, 256, (32, 48, 3), np.uint8)
    path = write_video(tmp_path / "turned.mov", [frame] * 2, [0, 40], codec="libx264rgb", pix_fmt="rgb24", orientation=(degrees, *mirrored))
    pixels = next(iter(iter_video(path, 25))).pixels
    assert pixels.shape == ((48, 32, 3) if degrees in (90, 270) else (32, 48, 3))
    assert checksum(pixels) == ffmpeg_frames(path)[0][1]


@pytest.mark.parametrize(("aspect", "width"), [("16/15", 384), ("8/9", 320), ("1/1", 360)])
@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_pixels_become_square(tmp_path, aspect, width, suffix):
    path = tmp_path / f"wide.{suffix}"
    run_ffmpeg("-f", "lavfi", "-i", "testsrc=size=360x288:duration=0.2:rate=25", "-vf", f"setsar={aspect}", "-pix_fmt", "yuv420p", path, "-f", "null")
    assert read_video(path, 25).frames.shape == (5, 288, width, 3)


@pytest.mark.parametrize(("height", "width"), [(33, 47), (17, 16), (1, 64)])
def test_odd_sizes_keep_every_pixel(tmp_path, height, width):
    frame = np.random.default_rng(2).integers(0, 256, (height, width, 3), np.uint8)
    assert np.array_equal(read_video(write_video(tmp_path / "odd.mkv", [frame] * 2, [0, 40]), 25).frames[0], frame)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p", "yuva420p", "gray"])
@pytest.mark.parametrize("matrix", [2, 1, 6])
@pytest.mark.parametrize("sample_range", [1, 2])
def test_colours_are_those_of_ffmpeg(tmp_path, pix_fmt, matrix, sample_range):
    ramp = np.stack(np.broadcast_arrays(np.arange(0, 256, 4)[:, None], np.arange(0, 256, 4)[None], np.uint8(128)), -1).astype(np.uint8)
    colour = {"colorspace": matrix, "color_range": sample_range}
    path = write_video(tmp_path / "colours.mkv", [ramp] * 2, [0, 40], pix_fmt=pix_fmt, colour=colour)
    assert checksum(read_video(path, 25).frames[0]) == ffmpeg_frames(path)[0][1]


FORMATS = [
    ("libx264", "mp4", "yuv420p", (48, 64)), ("libx264", "mkv", "yuv422p10le", (48, 64)), ("libx265", "mp4", "yuv420p10le", (48, 64)),
    ("libsvtav1", "mp4", "yuv420p", (64, 66)), ("libsvtav1", "webm", "yuv420p10le", (65, 67)),
    ("libvpx", "webm", "yuv420p", (47, 63)), ("libvpx", "webm", "yuva420p", (48, 64)), ("libvpx-vp9", "webm", "yuv420p", (47, 63)),
    ("libvpx-vp9", "webm", "yuva420p", (48, 64)), ("prores_ks", "mov", "yuv422p10le", (48, 64)), ("prores_ks", "mov", "yuva444p10le", (48, 64)),
    ("mjpeg", "avi", "yuvj420p", (47, 63)), ("mpeg1video", "mpg", "yuv420p", (48, 64)), ("mpeg2video", "mpg", "yuv420p", (48, 64)),
    ("mpeg4", "avi", "yuv420p", (48, 64)), ("ffv1", "mkv", "yuva420p", (47, 63)), ("qtrle", "mov", "argb", (47, 63)),
]  # fmt: skip

# These codecs say that chroma samples lie at the left of their pixels. Where the program's converter interpolates them, it has to be told.
SITED = "scale={}flags=bicubic:in_h_chr_pos=0:in_v_chr_pos={},format=rgb24"
SITED_AT = {("libx264", "yuv422p10le"): 0, ("libx265", "yuv420p10le"): 128}


def write_format(path, codec, pix_fmt, size, **encoding):
    """Ten frames of 25 per second: a ramp that moves, in colours."""
    ramp = np.indices(size).sum(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"auto-alt-ref": "0"} if codec == "libvpx" else {})
        (stream.height, stream.width), stream.pix_fmt = size, pix_fmt
        for name, value in encoding.items():
            setattr(stream.codec_context, name, value)
        for index in range(10):
            frame = np.stack([ramp + 8 * index, 200 - ramp, np.full(size, 15 * index)], -1).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame).reformat(format=pix_fmt)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(("codec", "suffix", "pix_fmt", "size"), FORMATS)
def test_every_frame_of_a_format_is_that_of_the_ffmpeg_program_and_like_opencvs(tmp_path, codec, suffix, pix_fmt, size):
    path = write_format(tmp_path / f"recording.{suffix}", codec, pix_fmt, size)
    frames = [frame.pixels for frame in iter_video(path, 25)]
    assert len(frames) == 10
    sited = ["-vf", SITED.format("", SITED_AT[codec, pix_fmt])] if (codec, pix_fmt) in SITED_AT else []
    assert [checksum(frame) for frame in frames] == [name for _, name in ffmpeg_frames(path, *sited)]
    if codec != "libsvtav1":  # OpenCV's FFmpeg has no decoder for it
        capture = cv2.VideoCapture(str(path))
        others = [capture.read()[1] for _ in frames]
        assert not capture.read()[0]
        assert np.abs(np.array(frames, int) - np.array(others)[..., ::-1]).mean() < 3


@pytest.mark.parametrize(("codec", "suffix", "pix_fmt", "scale"), [
    ("libx264", "mp4", "yuv420p", SITED.format("96:72:", 128)), ("mpeg2video", "mpg", "yuv420p", SITED.format("96:72:", 128)),
    ("prores_ks", "mov", "yuv422p10le", "scale=96:72:flags=bicubic,format=rgb24"),
])  # fmt: skip
def test_every_frame_with_pixels_that_are_not_square_is_that_of_the_ffmpeg_program(tmp_path, codec, suffix, pix_fmt, scale):
    path = write_format(tmp_path / f"wide.{suffix}", codec, pix_fmt, (72, 90), sample_aspect_ratio=Fraction(16, 15))
    assert [checksum(frame.pixels) for frame in iter_video(path, 25)] == [name for _, name in ffmpeg_frames(path, "-vf", scale)]


def test_the_default_stream_is_taken_not_the_first(tmp_path):
    for name, level in (("first", 1), ("second", 2)):
        write_video(tmp_path / f"{name}.mkv", [levels(3)[level]] * 3, [0, 40, 80])
    path = tmp_path / "both.mkv"
    parts = ["-i", tmp_path / "first.mkv", "-i", tmp_path / "second.mkv", "-map", "0:v", "-map", "1:v", "-c", "copy"]
    path.write_bytes(run_ffmpeg(*parts, "-disposition:v:0", "0", "-disposition:v:1", "default", "-f", "matroska"))
    assert set(shown(path, 25)) == {2}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An MP4 of 50 frames whose index comes first, as bytes."""
    folder = tmp_path_factory.mktemp("whole")
    noise = np.random.default_rng(3).integers(0, 256, (50, 48, 64, 3), np.uint8)
    write_video(folder / "plain.mp4", list(noise), range(0, 2000, 40), codec="libx264", pix_fmt="yuv420p")
    path = folder / "whole.mp4"
    run_ffmpeg("-i", folder / "plain.mp4", "-c", "copy", "-movflags", "+faststart", "-y", path, "-f", "null")
    return path.read_bytes()


def test_a_truncated_file_gives_what_decodes_and_says_so(tmp_path, whole):
    path = tmp_path / "truncated.mp4"
    path.write_bytes(whole[: len(whole) // 2])
    stream = iter_video(path, 25)
    assert 15 < len(list(stream)) < 30
    assert stream.source.damaged


@pytest.mark.parametrize("suffix", ["mkv", "webm", "avi", "flv", "mp4", "mpg"])
def test_what_is_cut_off_is_noticed_in_containers_that_tell_it(tmp_path, suffix):
    codec = {"webm": ("libvpx", "libvorbis"), "avi": ("mjpeg", "pcm_s16le"), "mpg": ("mpeg1video", "mp2")}.get(suffix, ("libx264", "aac"))
    path = tmp_path / f"recording.{suffix}"
    source = ["-f", "lavfi", "-i", "testsrc=size=64x48:duration=3:rate=25", "-f", "lavfi", "-i", "sine=duration=3.3"]
    encode = ["-c:v", codec[0], "-pix_fmt", "yuvj420p" if codec[0] == "mjpeg" else "yuv420p", "-c:a", codec[1], "-movflags", "+faststart"]
    run_ffmpeg(*source, *encode, path, "-f", "null")
    whole, said = path.read_bytes(), []
    for share in (1.0, 0.7, 0.4):
        path.write_bytes(whole[: int(len(whole) * share)])
        stream = iter_video(path, 25)
        assert len(list(stream)) > 30 * share
        said.append(stream.source.damaged)
    assert said == [False, True, True]


@pytest.mark.parametrize("packets", [1, 2, 3])
def test_what_waits_in_the_decoder_where_reading_breaks_off_is_used(tmp_path, packets):
    path = tmp_path / "reordered.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=size=64x48:duration=2:rate=25", "-c:v", "libx264", "-bf", "3", "-pix_fmt", "yuv420p"]
    run_ffmpeg(*source, "-movflags", "+faststart", path, "-f", "null")
    with av.open(str(path)) as container:
        stored = sorted((packet.pos, packet.size) for packet in container.demux(video=0) if packet.size)
    path.write_bytes(path.read_bytes()[: sum(stored[packets - 1])])
    stream = iter_video(path, 25)
    assert len(list(stream)) >= packets
    assert stream.source.damaged


def test_damaged_bytes_in_the_middle_harm_their_frames_only(tmp_path, whole):
    path = tmp_path / "rotten.mp4"
    path.write_bytes(whole[: len(whole) // 2] + bytes(3000) + whole[len(whole) // 2 + 3000 :])
    stream = iter_video(path, 25)
    assert len(list(stream)) >= 48
    assert stream.source.damaged


def test_an_undamaged_file_is_not_called_damaged(tmp_path, whole, media_folder):
    (tmp_path / "whole.mp4").write_bytes(whole)
    recordings = [media_folder / "cases" / name for name in CASES] + sorted((media_folder / "talkers").glob("*.mpg"))
    for path in (tmp_path / "whole.mp4", *recordings):
        stream = iter_video(path, 2)
        assert list(stream)
        assert not stream.source.damaged, path


@pytest.mark.parametrize("content", [b"", b"this is no video\n" * 100, bytes(5000)])
def test_what_is_no_video_is_a_decode_error(tmp_path, content):
    path = tmp_path / "recording.mp4"
    path.write_bytes(content)
    with pytest.raises(DecodeError, match="cannot be opened as a video"):
        read_video(path, 30)


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(DecodeError, match=r"it is no file that can be read$"):
        read_video(tmp_path, 30)


def test_pictures_too_large_to_be_true_are_a_decode_error():
    with pytest.raises(DecodeError, match=r"^its header claims pictures of 100000 x 90000 pixels; at most [0-9,]+ pixels are read$"):
        shown_size(SimpleNamespace(width=100_000, height=90_000, sample_aspect_ratio=None))


def test_pictures_that_ffmpeg_cannot_convert_are_a_decode_error():
    broken = Mock(reformat=Mock(side_effect=av.error.InvalidDataError(1, "Invalid data")))
    with pytest.raises(DecodeError, match=r"^its pictures cannot be converted to RGB \(Invalid data\)$"):
        _ = Picture(broken, 4, 4).rgb


def test_a_rate_that_is_none_is_refused():
    with pytest.raises(ValueError, match=r"^0 frames per second; above 0 is expected$"):
        iter_video("a.mov", 0)


def test_sound_alone_is_a_decode_error(tmp_path):
    path = tmp_path / "sound.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", "-y", path, "-f", "null")
    with pytest.raises(DecodeError, match="no video stream"):
        read_video(path, 30)


def test_titles_that_are_not_utf8_do_not_matter(tmp_path):
    path = write_video(tmp_path / "plain.avi", levels(3), [0, 40, 80], codec="mjpeg", pix_fmt="yuvj420p")
    titled = tmp_path / "titled.avi"
    run_ffmpeg("-i", path, "-c", "copy", "-metadata", "title=ABCD", "-y", titled, "-f", "null")
    titled.write_bytes(titled.read_bytes().replace(b"ABCD", b"\xff\xfe\xe9\xff"))
    assert len(read_video(titled, 25).frames) == len(read_video(path, 25).frames)
