from fractions import Fraction
from unittest.mock import Mock

import av
import numpy as np
import pytest
import soxr
from unit.media.recordings import levels, run_ffmpeg, write_video

from blemore.media import audio
from blemore.media.audio import NoAudio, read_audio, read_sound, read_sound_of
from blemore.media.video import DecodeError, iter_video

RATE_HZ = 16000


def tone(seconds, sample_rate_hz, hz=440.0, level=0.5):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz)).astype(np.float32)[np.newaxis]


def one_second(path, samples, sample_rate_hz, sound_ms=0, video_ms=0):
    """25 frames from `video_ms` on and sound from `sound_ms` on."""
    return write_video(path, levels(25), [video_ms + 40 * k for k in range(25)], sound=[(samples, sound_ms)], sample_rate_hz=sample_rate_hz)


@pytest.mark.parametrize(("sound_ms", "video_ms"), [(0, 0), (300, 0), (0, 300), (500, 100), (137, 0)])
def test_a_click_is_heard_where_it_is_seen(tmp_path, sound_ms, video_ms):
    samples = np.zeros((1, RATE_HZ), np.float32)
    samples[0, RATE_HZ // 2] = 0.9
    samples = read_audio(one_second(tmp_path / "click.mkv", samples, RATE_HZ, sound_ms, video_ms), RATE_HZ)
    assert len(samples) == RATE_HZ
    expected = RATE_HZ // 2 + (sound_ms - video_ms) * RATE_HZ // 1000
    if expected < RATE_HZ:
        assert np.flatnonzero(np.abs(samples) > 0.5).tolist() == [expected]
    else:
        assert not samples.any()


@pytest.mark.parametrize(("seconds", "sounding_s"), [(0.4, 0.4), (2.5, 1.0)])
def test_short_sound_is_padded_and_long_sound_cut(tmp_path, seconds, sounding_s):
    samples = read_audio(one_second(tmp_path / "length.mkv", tone(seconds, RATE_HZ) + 0.1, RATE_HZ), RATE_HZ)
    assert len(samples) == RATE_HZ
    assert np.flatnonzero(samples)[-1] == round(sounding_s * RATE_HZ) - 1


def test_a_gap_in_the_sound_stays_a_gap(tmp_path):
    pieces = [(tone(0.1, RATE_HZ), 0), (tone(0.1, RATE_HZ), 600)]
    path = write_video(tmp_path / "gap.mkv", levels(25), range(0, 1000, 40), sound=pieces)
    loud = np.abs(read_audio(path, RATE_HZ)).reshape(20, -1).max(1) > 0.1
    assert np.flatnonzero(loud).tolist() == [0, 1, 12, 13]


@pytest.mark.parametrize("sample_rate_hz", [8000, 11025, 44100, 48000, 96000])
def test_any_rate_gives_the_tone_that_was_recorded(tmp_path, sample_rate_hz):
    samples = read_audio(one_second(tmp_path / "tone.mkv", tone(1, sample_rate_hz), sample_rate_hz), RATE_HZ)
    assert samples[400:-400] == pytest.approx(tone(1, RATE_HZ)[0, 400:-400], abs=2e-3)


def test_resampling_agrees_with_soxr(tmp_path):
    noise = np.random.default_rng(1).normal(0, 0.1, 48000).astype(np.float32)
    band = soxr.resample(soxr.resample(noise, 48000, 12000), 12000, 48000)[np.newaxis, :48000]
    samples = read_audio(one_second(tmp_path / "noise.mkv", band, 48000), RATE_HZ)
    reference = soxr.resample(band[0], 48000, RATE_HZ, quality="VHQ")
    assert samples[400:-400] == pytest.approx(reference[400:-400], abs=2e-3)


def test_what_the_new_rate_cannot_hold_does_not_fold_back(tmp_path):
    samples = read_audio(one_second(tmp_path / "high.mkv", tone(1, 48000, hz=12000), 48000), RATE_HZ)
    assert np.abs(samples[400:-400]).max() < 0.5 * 10 ** (-60 / 20)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le"])
def test_stereo_becomes_the_mean_of_both_whatever_the_codec(tmp_path, codec):
    both = np.concatenate([tone(1, RATE_HZ), tone(1, RATE_HZ, level=0.1)])
    one_second(tmp_path / "stereo.mkv", both, RATE_HZ)
    path = tmp_path / "recoded.mkv"
    run_ffmpeg("-i", tmp_path / "stereo.mkv", "-c:v", "copy", "-c:a", codec, path, "-f", "null")
    assert read_audio(path, RATE_HZ) == pytest.approx(both.mean(0), abs=1e-3)


@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le", "ac3"])  # AC-3 decodes to floats, from a moment between two samples on
@pytest.mark.parametrize("layout", ["5.1", "5.1(side)", "7.1"])
def test_surround_sound_is_mixed_as_the_ffmpeg_program_does(tmp_path, layout, codec):
    channels = "|".join(f".9*sin({300 * (number + 1)}*2*PI*t)" for number in range(8 if layout == "7.1" else 6))
    picture = ["-f", "lavfi", "-i", "color=size=32x32:rate=25:duration=1", "-f", "lavfi", "-i", f"aevalsrc={channels}:c={layout}:s=48000:d=1"]
    path = tmp_path / "surround.mkv"
    run_ffmpeg(*picture, "-c:v", "ffv1", "-c:a", codec, path, "-f", "null")
    reference = mixed_by_ffmpeg(path)
    assert np.abs(reference).max() > 0.3
    samples = read_audio(path, RATE_HZ)[: len(reference)]
    assert_alike(samples, reference)
    if codec != "ac3":
        assert samples[400:-400] == pytest.approx(reference[400 : len(samples) - 400], abs=2e-3)


def assert_alike(samples, reference):
    shared = min(len(samples), len(reference))
    assert shared > 0.95 * len(samples)
    # The program leaves up to a millisecond of offset uncorrected, and a start between two samples where it falls.
    agreement = [np.corrcoef(np.roll(reference[:shared], lag), samples[:shared])[0, 1] for lag in range(-16, 17)]
    assert max(agreement) > 0.98
    assert np.abs(samples).mean() == pytest.approx(np.abs(reference[:shared]).mean(), rel=0.02)


def mixed_by_ffmpeg(path):
    resample = f"aresample={RATE_HZ}:rematrix_maxval=1:async=1:first_pts=0,aformat=sample_fmts=flt:channel_layouts=mono"
    return np.frombuffer(run_ffmpeg("-i", path, "-map", "0:a:0", "-af", resample, "-f", "f32le"), np.float32)


def test_peaks_above_one_are_scaled_and_the_gain_is_told(tmp_path):
    one_second(tmp_path / "loud.mkv", tone(1, RATE_HZ, level=0.9), RATE_HZ)
    path = tmp_path / "louder.mkv"
    run_ffmpeg("-i", tmp_path / "loud.mkv", "-c:v", "copy", "-af", "aformat=flt,volume=2:precision=float", "-c:a", "pcm_f32le", path, "-f", "null")
    sound = read_sound(path, RATE_HZ)
    assert np.abs(sound.samples).max() == pytest.approx(1)
    assert sound.gain == pytest.approx(1 / 1.8, rel=1e-3)


def test_digital_silence_stays_silence(tmp_path):
    sound = read_sound(one_second(tmp_path / "silence.mkv", np.zeros((1, 8000), np.float32), 8000), RATE_HZ)
    assert (sound.samples.dtype, np.abs(sound.samples).max(), sound.gain, sound.damaged) == (np.float32, 0, 1, False)


@pytest.mark.parametrize(
    "name", ["cases/face_then_none_vfr_late_audio.mov", "cases/several_faces_1080p.mp4", "cases/rotated_270_mono.mp4", "talkers/brbk7n.mpg"]
)
def test_recordings_agree_with_the_ffmpeg_program(media_folder, name):
    path = media_folder / name
    samples = read_audio(path, RATE_HZ)
    reference = mixed_by_ffmpeg(path)
    assert_alike(samples, reference)


@pytest.mark.parametrize("name", ["cases/face_then_none_vfr_late_audio.mov", "cases/several_faces_1080p.mp4", "talkers/brbk7n.mpg"])
def test_a_stretch_whose_time_is_known_sounds_as_in_the_whole(media_folder, name):
    stream = iter_video(media_folder / name, 25)
    next(iter(stream))
    stretch = read_sound_of(media_folder / name, RATE_HZ, stream.source.start_s, Fraction(5, 2)).samples
    assert len(stretch) == 5 * RATE_HZ // 2
    assert np.array_equal(stretch, read_audio(media_folder / name, RATE_HZ)[: len(stretch)])


def test_a_late_track_begins_with_silence(media_folder):
    samples = read_audio(media_folder / "cases" / "face_then_none_vfr_late_audio.mov", RATE_HZ)
    assert len(samples) / RATE_HZ == pytest.approx(6.40, abs=0.005)
    assert not samples[: round(2.43 * RATE_HZ) - 1].any()
    assert np.abs(samples[round(2.43 * RATE_HZ) :]).max() > 0.01


def test_audio_statuses_of_the_recordings(media_folder):
    with pytest.raises(NoAudio, match="no audio track"):
        read_audio(media_folder / "cases" / "upper_body_no_audio.mkv", RATE_HZ)
    for name in ("single_face.mp4", "no_face_wrong_frame_count.mp4"):
        sound = read_sound(media_folder / "cases" / name, RATE_HZ)
        assert len(sound.samples)
        assert not sound.damaged


def test_sound_of_which_nothing_is_decoded_is_a_decode_error(tmp_path, monkeypatch):
    def nothing(container, stream, note):
        note.damaged = note.damaged or stream.type == "audio"
        return iter(()) if stream.type == "audio" else decode(container, stream, note)

    decode = audio.decode
    monkeypatch.setattr(audio, "decode", nothing)
    with pytest.raises(DecodeError, match=r"nothing of its audio track can be decoded$"):
        read_audio(one_second(tmp_path / "damaged.mkv", tone(1, RATE_HZ), RATE_HZ), RATE_HZ)


def test_sound_that_ffmpeg_cannot_resample_is_a_decode_error(tmp_path, monkeypatch):
    broken = Mock(resample=Mock(side_effect=av.error.InvalidDataError(1, "Invalid data")))
    monkeypatch.setattr(audio.av, "AudioResampler", lambda **_: broken)
    with pytest.raises(DecodeError, match=r"its audio track cannot be resampled \(Invalid data\)$"):
        read_audio(one_second(tmp_path / "odd.mkv", tone(1, RATE_HZ), RATE_HZ), RATE_HZ)


def test_sound_without_pictures_is_a_decode_error(tmp_path):
    path = tmp_path / "sound.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", path, "-f", "null")
    with pytest.raises(DecodeError, match="no video stream"):
        read_audio(path, RATE_HZ)


def test_a_file_that_ends_early_gives_its_sound_and_says_so(tmp_path):
    one_second(tmp_path / "plain.mkv", tone(1, RATE_HZ), RATE_HZ)
    path = tmp_path / "whole.mp4"
    encode = ["-c:v", "libx264", "-c:a", "aac", "-movflags", "+faststart"]
    run_ffmpeg("-i", tmp_path / "plain.mkv", *encode, path, "-f", "null")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    sound = read_sound(path, RATE_HZ)
    assert sound.damaged
    assert np.abs(sound.samples).max() > 0.3
