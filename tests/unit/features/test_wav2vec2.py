import numpy as np
import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from blemore.features.extraction import TooShort
from blemore.features.wav2vec2 import LayerMean
from blemore.job import BadInput

RATE = 16000


def checkpoint(folder, stable_layer_norm=False):
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=32,
        num_hidden_layers=5,
        num_attention_heads=4,
        intermediate_size=48,
        conv_dim=[16] * 7,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        do_stable_layer_norm=stable_layer_norm,
        feat_extract_norm="layer" if stable_layer_norm else "group",
    )
    Wav2Vec2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("wav2vec2"))


@pytest.fixture
def waveform():
    return np.random.default_rng(1).normal(0, 0.1, RATE).astype(np.float32)


def plain_mean(folder, waveform, first, last):
    """The mean of hidden states by the library's own call, on the whole model."""
    model = Wav2Vec2Model.from_pretrained(folder, dtype=torch.float32).eval()
    x = (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)
    with torch.no_grad():
        states = model(torch.from_numpy(x)[None], output_hidden_states=True).hidden_states
    return torch.stack(states[first : last + 1]).mean(0)[0].numpy()


@pytest.mark.parametrize(("first", "last"), [(0, 3), (1, 1), (2, 4), (3, 3), (1, 5)])
def test_equals_the_plain_call(folder, waveform, first, last):
    expected = plain_mean(folder, waveform, first, last)
    assert LayerMean(folder, (first, last))(waveform) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("first", "last"), [(1, 3), (2, 4)])
def test_equals_the_plain_call_with_stable_layer_norm(tmp_path, waveform, first, last):
    folder = checkpoint(tmp_path, stable_layer_norm=True)
    assert LayerMean(folder, (first, last))(waveform) == pytest.approx(plain_mean(folder, waveform, first, last), abs=1e-5)


def test_layers_above_the_range_do_not_run(folder):
    assert len(LayerMean(folder, (1, 3)).model.encoder.layers) == 3


def test_fifty_frames_a_second(folder, waveform):
    assert LayerMean(folder, (1, 3))(waveform).shape == (49, 32)


def test_two_passes_are_identical(folder, waveform):
    encode = LayerMean(folder, (1, 3))
    assert np.array_equal(encode(waveform), encode(waveform))


def test_loudness_does_not_count(folder, waveform):
    encode = LayerMean(folder, (1, 3))
    assert encode(waveform * 4) == pytest.approx(encode(waveform), abs=1e-3)


def test_silence_is_finite(folder):
    assert np.isfinite(LayerMean(folder, (1, 3))(np.zeros(RATE, np.float32))).all()


@pytest.mark.parametrize("samples", [0, 1, 399])
def test_less_than_a_frame_is_too_short(folder, samples):
    with pytest.raises(TooShort, match=f"{samples} samples are less than one frame"):
        LayerMean(folder, (1, 3))(np.zeros(samples, np.float32))


def test_400_samples_are_one_frame(folder):
    assert LayerMean(folder, (1, 3))(np.zeros(400, np.float32)).shape == (1, 32)


def test_more_layers_than_there_are_is_refused(folder):
    with pytest.raises(BadInput, match=r"has 5 layers, but features\.\*\.layers asks for 12; lower it"):
        LayerMean(folder, (6, 12))


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path, folder):
    from safetensors.torch import load_file, save_file

    state = {name: tensor for name, tensor in load_file(folder / "model.safetensors").items() if "layers.2." not in name}
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"lacks the weights encoder\.layers\.2"):
        LayerMean(tmp_path, (1, 3))
