import json
from importlib import import_module

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from blemore.features.extraction import TooShort
from blemore.features.wav2vec2 import CLASSES, HiddenLayers, LayerMean
from blemore.job import BadInput

RATE = 16000
NAMES = {"wav2vec2": "Wav2Vec2", "wavlm": "WavLM", "hubert": "Hubert"}


def library(kind, part):
    return getattr(import_module(f"transformers.models.{kind}.{'modeling' if part == 'Model' else 'configuration'}_{kind}"), NAMES[kind] + part)


def checkpoint(folder, kind="wav2vec2", stable_layer_norm=False, **hears):
    torch.manual_seed(0)
    config = library(kind, "Config")(
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
    library(kind, "Model")(config).save_pretrained(folder)
    if hears:
        (folder / "preprocessor_config.json").write_text(json.dumps(hears))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return checkpoint(tmp_path_factory.mktemp("wav2vec2"))


@pytest.fixture
def waveform():
    return np.random.default_rng(1).normal(0.05, 0.1, RATE).astype(np.float32)


def plain_mean(folder, waveform, first, last, kind="wav2vec2", normalise=True):
    """The mean of hidden states by the library's own call, on the whole model."""
    model = library(kind, "Model").from_pretrained(folder, dtype=torch.float32).eval()
    x = (waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7) if normalise else waveform
    with torch.no_grad():
        states = model(torch.from_numpy(x)[None], output_hidden_states=True).hidden_states
    return torch.stack(states[first : last + 1]).mean(0)[0].numpy()


@pytest.mark.parametrize("stable_layer_norm", [False, True])
@pytest.mark.parametrize("kind", sorted(CLASSES))
@pytest.mark.parametrize(("first", "last"), [(0, 3), (1, 1), (2, 4)])
def test_equals_the_plain_call(tmp_path, waveform, kind, stable_layer_norm, first, last):
    folder = checkpoint(tmp_path, kind, stable_layer_norm)
    assert LayerMean(folder, kind, (first, last))(waveform) == pytest.approx(plain_mean(folder, waveform, first, last, kind), abs=1e-5)


def test_equals_the_plain_call_up_to_the_last_layer(folder, waveform):
    assert LayerMean(folder, "wav2vec2", (1, 5))(waveform) == pytest.approx(plain_mean(folder, waveform, 1, 5), abs=1e-5)


def test_all_layers_come_one_by_one(folder, waveform):
    states = HiddenLayers(folder, "wav2vec2", (0, 4))(waveform)
    assert states.shape == (5, 49, 32)
    for layer in (0, 3):
        assert states[layer].numpy() == pytest.approx(plain_mean(folder, waveform, layer, layer), abs=1e-5)


@pytest.mark.parametrize("normalise", [True, False])
def test_the_checkpoint_says_whether_sound_is_normalised(tmp_path, waveform, normalise):
    folder = checkpoint(tmp_path, "wavlm", do_normalize=normalise, sampling_rate=RATE)
    expected = plain_mean(folder, waveform, 1, 3, "wavlm", normalise)
    assert LayerMean(folder, "wavlm", (1, 3))(waveform) == pytest.approx(expected, abs=1e-5)


def test_a_checkpoint_for_another_sample_rate_is_refused(tmp_path):
    folder = checkpoint(tmp_path, sampling_rate=8000)
    with pytest.raises(BadInput, match=r"^/.* hears 8000 samples a second, but audio of 16000 is what there is; mend features\.\*\.model\.$"):
        LayerMean(folder, "wav2vec2", (1, 3))


def test_a_checkpoint_of_another_kind_is_refused(folder):
    with pytest.raises(BadInput, match=r"^/.* holds a checkpoint of wav2vec2, not of hubert; mend features\.\*\.kind or features\.\*\.model\.$"):
        LayerMean(folder, "hubert", (1, 3))


def test_bfloat16_gives_nearly_the_same_as_float32_numbers(folder, waveform):
    exact, coarse = (LayerMean(folder, "wav2vec2", (1, 3), precision)(waveform) for precision in ("float32", "bfloat16"))
    assert coarse.dtype == np.float32
    assert not np.array_equal(exact, coarse)
    assert np.corrcoef(exact.ravel(), coarse.ravel())[0, 1] > 0.999


def test_layers_above_the_range_do_not_run(folder):
    assert len(HiddenLayers(folder, "wav2vec2", (1, 3)).model.encoder.layers) == 3


def test_fifty_frames_a_second(folder, waveform):
    assert LayerMean(folder, "wav2vec2", (1, 3))(waveform).shape == (49, 32)


def test_loudness_does_not_count(folder, waveform):
    encode = LayerMean(folder, "wav2vec2", (1, 3))
    assert encode(waveform * 4) == pytest.approx(encode(waveform), abs=1e-3)


@pytest.mark.parametrize("samples", [0, 1, 399])
def test_less_than_a_frame_is_too_short(folder, samples):
    with pytest.raises(TooShort, match=f"^{samples} samples are less than one frame$"):
        LayerMean(folder, "wav2vec2", (1, 3))(np.zeros(samples, np.float32))


def test_400_samples_are_one_frame(folder):
    assert LayerMean(folder, "wav2vec2", (1, 3))(np.zeros(400, np.float32)).shape == (1, 32)


def test_more_layers_than_there_are_is_refused(folder):
    with pytest.raises(BadInput, match=r"^/.* has 5 layers, but features\.\*\.layers asks for 12; lower it\.$"):
        LayerMean(folder, "wav2vec2", (6, 12))


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path, folder):
    state = {name: tensor for name, tensor in load_file(folder / "model.safetensors").items() if "layers.2." not in name}
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    save_file(state, tmp_path / "model.safetensors", metadata={"format": "pt"})
    sentence = r"^/.* lacks the weights encoder\.layers\.2\..* \(17 in all\): it is no checkpoint of wav2vec2; mend features\.\*\.model\.$"
    with pytest.raises(BadInput, match=sentence):
        LayerMean(tmp_path, "wav2vec2", (1, 3))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", r"config\.json cannot be read \(.*\); put the checkpoint's own file there\.$"),
        ("[]", r"config\.json holds no settings; put the checkpoint's own file there\.$"),
    ],
)
def test_a_checkpoint_whose_description_is_damaged_is_refused(tmp_path, content, said):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(BadInput, match=said):
        LayerMean(tmp_path, "wav2vec2", (1, 3))
