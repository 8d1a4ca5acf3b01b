import numpy as np
import pytest
import torch

from blemore.finetune.optimisation import mix
from blemore.finetune.pictures import Pictures

PLAIN = {"crops": 1, "spatial": "shifted", "crop_scale": 1.0, "flip": False, "randaugment": "", "erasing": 0.0}


def pictures(**changes):
    return Pictures(32, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), **PLAIN | changes)


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (4, 40, 60, 3)).astype(np.uint8)


def test_a_picture_of_the_size_is_only_normalised():
    frames = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    expected = (frames.astype(np.float64) / 255 - 0.5) / 0.25
    for seen in (pictures().views(frames)[0], pictures().training(frames, np.random.default_rng(1))):
        assert seen.numpy() == pytest.approx(expected.transpose(3, 0, 1, 2), abs=1e-5)


@pytest.mark.parametrize("spatial", ["shifted", "mirrored"])
def test_two_views_of_a_square_differ(spatial):
    frames = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    first, second = pictures(crops=2, spatial=spatial).views(frames)
    assert (first - second).abs().mean() > 0.1
    assert torch.equal(first, second.flip(-1)) == (spatial == "mirrored")


@pytest.mark.parametrize("change", [{"crop_scale": 0.3}, {"flip": True}, {"randaugment": "m7-n4-mstd0.5"}, {"erasing": 1.0}])
def test_training_varies_a_clip_but_all_its_frames_alike(change, frames):
    still = np.repeat(frames[:1], 4, axis=0)
    views = [pictures(**change).training(still, np.random.default_rng(seed)) for seed in range(8)]
    assert any(not torch.equal(views[0], view) for view in views[1:])
    assert torch.equal(views[3], pictures(**change).training(still, np.random.default_rng(3)))
    if "erasing" not in change:
        assert all(torch.equal(view[:, 0], view[:, k]) for view in views for k in range(4))


def test_erasing_leaves_the_same_place_in_all_frames(frames):
    changed = pictures(erasing=1.0).training(frames, np.random.default_rng(0)) != pictures().training(frames, np.random.default_rng(0))
    assert 0 < changed.float().mean() < 0.5
    assert torch.equal(changed.any(0).all(0), changed.any(0).any(0))


@pytest.mark.parametrize(("mixup", "cutmix"), [(0.8, 0.0), (0.0, 1.0), (0.8, 1.0)])
def test_soft_labels_are_mixed_by_the_share_of_the_clips(mixup, cutmix):
    clips = torch.arange(5.0)[:, None, None, None, None].expand(5, 3, 4, 16, 16).clone()
    labels = torch.tensor([[0.7, 0.3, 0, 0, 0, 0], [0, 0, 0.5, 0.5, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 0]])
    for seed in range(6):
        mixed, target = mix(clips.clone(), labels, mixup, cutmix, seed)
        assert target.sum(1).numpy() == pytest.approx(np.ones(5), abs=1e-6)
        assert torch.equal(mixed[4], clips[4])
        assert torch.equal(target[4], labels[4])
        share = 1 - mixed[0].mean() / 3  # of the clip 0 against the clip 3
        assert target[0].numpy() == pytest.approx((share * labels[0] + (1 - share) * labels[3]).numpy(), abs=1e-5)
        assert torch.equal(mixed[:, :, 0], mixed[:, :, 3])


def test_without_mixing_nothing_changes():
    clips, labels = torch.rand(3, 3, 2, 4, 4), torch.rand(3, 6)
    assert mix(clips, labels, 0.0, 0.0, 1)[0] is clips
