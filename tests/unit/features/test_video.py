import json

import numpy as np
import pytest
import torch
from checkpoints import write_tiny
from unit.features.shards import CLIPS, FPS, SECONDS, write_shard

from blemore.features.video import SOUND_RATE_HZ, PeAudioVideo, Recording, XClip, evenly, recordings
from blemore.stores import MISSING, OK

FRAMES = np.random.default_rng(3).integers(0, 256, (20, 48, 64, 3), np.uint8)
SOUND = np.random.default_rng(4).normal(0, 0.1, SOUND_RATE_HZ).astype(np.float32)
RECORDING = Recording(FRAMES, SOUND)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("video")
    for kind in ("xclip", "pe_av"):
        write_tiny(kind, root / kind, 1)
    return root


def test_xclip_equals_the_plain_call(folders):
    from transformers import AutoImageProcessor, AutoModel

    processor, model = AutoImageProcessor.from_pretrained(folders / "xclip"), AutoModel.from_pretrained(folders / "xclip").eval()
    with torch.no_grad():
        expected = model.get_video_features(**processor(list(evenly(FRAMES, 8)), return_tensors="pt")).pooler_output[0].numpy()
    vector, seen = XClip(folders / "xclip")(RECORDING)
    assert seen == 8
    assert vector == pytest.approx(expected, abs=1e-5)


def test_pe_av_is_loaded_with_every_weight_of_its_checkpoint(folders):
    """Among them those that transformers ties, which it can only beside another timm."""
    from safetensors.torch import load_file

    saved, loaded = load_file(folders / "pe_av/model.safetensors"), PeAudioVideo(folders / "pe_av")._model.state_dict()
    assert len(saved) > 100
    assert all(torch.equal(loaded[name], tensor) for name, tensor in saved.items())
    twins = [name for name in loaded if name.startswith("audio_video_encoder.embedder.video_encoder.")]
    assert twins
    assert all(torch.equal(loaded[name], loaded[name.replace("audio_video_encoder.embedder.", "video_model.")]) for name in twins)


def test_pe_av_sees_and_hears(folders):
    embed = PeAudioVideo(folders / "pe_av")
    vector, seen = embed(RECORDING)
    assert (vector.shape, seen) == ((16,), 4)
    for other in (Recording(FRAMES[::-1], SOUND), Recording(FRAMES, np.zeros_like(SOUND))):
        assert not np.array_equal(embed(other)[0], vector)


def test_pe_av_looks_at_sixteen_pictures_where_its_checkpoint_states_no_number(folders, tmp_path):
    write_tiny("pe_av", tmp_path, 1)
    path = tmp_path / "video_preprocessor_config.json"
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if name != "num_frames"}))
    assert PeAudioVideo(tmp_path)(RECORDING)[1] == 16


@pytest.mark.parametrize(("count", "of", "expected"), [(4, 8, [1, 3, 5, 7]), (8, 4, [0, 0, 1, 1, 2, 2, 3, 3]), (3, 3, [0, 1, 2]), (2, 1, [0, 0])])
def test_pictures_are_the_middles_of_equal_parts(count, of, expected):
    assert evenly(np.arange(of), count).tolist() == expected


def test_clips_are_read_with_their_sound_or_silence(tmp_path):
    clips = {clip.clip: clip for clip in recordings(write_shard(tmp_path) / "clips", FPS["clips"])}
    assert list(clips) == list(CLIPS)
    assert [clip.status for clip in clips.values()] == [OK] * 5 + [MISSING]
    for name in ("a_normal", "d_silent"):
        recording = clips[name].read()
        assert recording.frames.shape == (10, 48, 64, 3)
        assert len(recording.sound) == SOUND_RATE_HZ
        assert clips[name].duration_s == pytest.approx(SECONDS[name])
        assert bool(recording.sound.any()) == (name == "a_normal")
