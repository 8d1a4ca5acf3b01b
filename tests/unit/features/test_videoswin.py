import numpy as np
import pytest
import torch
from checkpoints import write_tiny
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.video import swin3d_b, swin3d_s, swin3d_t
from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d, Swin3D_B_Weights, Swin3D_S_Weights, Swin3D_T_Weights

from blemore.features.videoswin import VideoSwin, load, network, windows
from blemore.job import BadInput


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("swin")
    write_tiny("videoswin", folder, 1)
    return folder / "swin3d_tiny.pth"


def pictures(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 40, 60, 3), np.uint8)


def test_one_window_equals_the_plain_call(file):
    model, frames = load(file).eval(), pictures(16)
    with torch.no_grad():
        pixels = Swin3D_T_Weights.KINETICS400_V1.transforms()(torch.from_numpy(frames).permute(0, 3, 1, 2))
        expected = model(pixels[None])[0].numpy()
        steps = VideoSwin(file, 16)(frames)
        assert steps.shape == (8, 64)
        assert model.head(torch.from_numpy(steps.mean(0))).numpy() == pytest.approx(expected, abs=1e-5)


@given(st.integers(1, 200), st.sampled_from([8, 16, 32]))
def test_windows_have_one_size_and_cover_all_frames_in_order(count, size):
    found = windows(count, size)
    assert {len(window) for window in found} == {size}
    assert all((np.diff(window) >= 0).all() for window in found)
    assert set(np.concatenate(found)) == set(range(count))
    assert len(found) == max(1, -(-count // size))


@pytest.mark.parametrize(("count", "steps"), [(8, 4), (9, 5), (10, 5), (16, 8), (17, 9), (5, 4)])
def test_each_two_frames_are_one_step(file, count, steps):
    assert len(VideoSwin(file, 8)(pictures(count))) == steps


def test_a_longer_clip_of_the_same_picture_gives_the_same_vectors(file):
    """The length does not show: nothing black is added to short clips."""
    encode = VideoSwin(file, 8)
    still = pictures(1).repeat(20, axis=0)
    vectors = [encode(still[:count]).mean(0) for count in (3, 8, 11, 20)]
    assert all(vector == pytest.approx(vectors[0], abs=1e-5) for vector in vectors)


@pytest.mark.parametrize("make", [swin3d_t, swin3d_s, swin3d_b])
def test_the_size_is_read_from_the_weights(make):
    with torch.device("meta"):
        expected = make()
        found = network(expected.state_dict())
    assert {name: tensor.shape for name, tensor in found.state_dict().items()} == {name: tensor.shape for name, tensor in expected.state_dict().items()}
    assert heads(found) == heads(expected)


def heads(model):
    return [module.num_heads for module in model.modules() if isinstance(module, ShiftedWindowAttention3d)]


def test_all_weights_of_torchvision_prepare_pictures_alike():
    known = [*Swin3D_T_Weights, *Swin3D_S_Weights, *Swin3D_B_Weights]
    assert len({str(weights.transforms()) for weights in known}) == 1


@pytest.mark.parametrize("content", [b"no weights", {"head.weight": torch.zeros(3, 4)}, [1, 2]])
def test_what_holds_no_weights_is_refused(tmp_path, content):
    file = tmp_path / "other.pth"
    file.write_bytes(content) if isinstance(content, bytes) else torch.save(content, file)
    with pytest.raises(BadInput, match=r"other\.pth holds no weights of torchvision's Video Swin \(.*\); mend features\.\*\.model\.$"):
        load(file)
