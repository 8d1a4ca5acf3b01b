import copy
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_s4d import plain_s4d
from timm.optim import param_groups_layer_decay
from transformers.models.videomae.modeling_videomae import get_sinusoid_encoding_table

from blemore.finetune.s4d import S4D, Count, count_parameters, freeze
from blemore.finetune.s4d_blocks import balance_loss, sinusoids
from blemore.job import BadInput

TINY = {"width": 24, "depth": 3, "heads": 2, "experts": 4, "bottleneck": 6, "first_moe_block": 1, "frames": 4, "image_size": 16, "patch": 8}
LATE_EXPERTS = {"width": 24, "depth": 4, "heads": 2, "bottleneck": 6, "first_moe_block": 2, "frames": 2, "image_size": 8, "patch": 8}


def lively(model, seed=0):
    """Every parameter far enough from where training starts that each part counts in the logits."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.add_(torch.randn_like(parameter) * (0.3 if parameter.ndim == 1 else 0.04))
            if ".experts." in name or name == "head.weight":
                parameter.mul_(3)
    return model


def clips_for(model, count, seed=1):
    side = model.sizes.image_size
    return torch.randn(count, 3, model.sizes.frames, side, side, generator=torch.Generator().manual_seed(seed))


def leaves(model):
    return {name: parameter.detach().clone().requires_grad_() for name, parameter in model.named_parameters()}


def plain(model, clips, state=None, **more):
    return plain_s4d(state or leaves(model), clips, heads=model.sizes.heads, **{"top_k": model.sizes.top_k} | more)


@pytest.fixture
def deterministic():
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


# The numbers


@torch.no_grad()
def test_real_size_gives_the_logits_of_the_plain_implementation():
    real = lively(S4D()).eval()
    clips = clips_for(real, 2)
    logits = real(clips)
    assert logits.shape == (2, 6)
    torch.testing.assert_close(logits[1:], plain(real, clips[1:]).logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sizes", [{"depth": 2, "first_moe_block": 1}, pytest.param({}, marks=pytest.mark.soak)], ids=["two real blocks", "real size"])
def test_training_gives_the_gradients_of_the_plain_implementation(sizes):
    model = lively(S4D(**sizes)).train()
    clips, state = clips_for(model, 1), leaves(model)
    torch.manual_seed(5)
    expected = plain(model, clips, state, noisy=True)
    (expected.logits.square().sum() + expected.balance).backward()
    torch.manual_seed(5)
    logits = model(clips)
    torch.testing.assert_close(logits, expected.logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(model.auxiliary_loss(), expected.balance)
    (logits.square().sum() + model.auxiliary_loss()).backward()
    for name, parameter in model.named_parameters():
        scale = float(state[name].grad.abs().max())
        assert scale > 0, name
        assert float((parameter.grad - state[name].grad).abs().max()) < 1e-4 * scale, name


@st.composite
def small_sizes(draw):
    heads, depth, experts, patch, tubelet = (draw(st.integers(1, highest)) for highest in (3, 3, 5, 4, 2))
    return {
        "width": heads * 2 * draw(st.integers(1, 3)),
        "depth": depth,
        "heads": heads,
        "mlp_ratio": draw(st.integers(1, 2)),
        "experts": experts,
        "top_k": draw(st.integers(1, experts)),
        "bottleneck": draw(st.integers(1, 5)),
        "first_moe_block": draw(st.integers(0, depth - 1)),
        "frames": tubelet * draw(st.integers(1, 2)),
        "image_size": patch * draw(st.integers(1, 3)),
        "patch": patch,
        "tubelet": tubelet,
    }


@settings(max_examples=40)
@given(sizes=small_sizes(), classes=st.integers(1, 7), batch=st.integers(1, 3), noisy=st.booleans())
def test_any_size_gives_the_logits_and_gradients_of_the_plain_implementation(sizes, classes, batch, noisy):
    model = lively(S4D(classes, **sizes)).double().train(noisy)
    clips, state = clips_for(model, batch).double(), leaves(model)
    torch.manual_seed(7)
    expected = plain(model, clips, state, noisy=noisy).logits
    torch.manual_seed(7)
    logits = model(clips)
    assert logits.shape == (batch, classes)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)
    expected.sin().sum().backward()
    logits.sin().sum().backward()
    for name, parameter in model.named_parameters():
        gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        wanted = torch.zeros_like(parameter) if state[name].grad is None else state[name].grad
        torch.testing.assert_close(gradient, wanted, rtol=1e-4, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")


def test_experts_count_in_what_is_compared():
    model = lively(S4D(**TINY)).eval()
    clips = clips_for(model, 2)
    assert (plain(model, clips).logits - plain(model, clips, top_k=1).logits).abs().max() > 1e-3


def test_no_expert_refuses_a_token():
    model = lively(S4D(**TINY)).eval()
    with torch.no_grad():
        for layer in model.mixtures().values():
            layer.router.topkroute_linear.bias.copy_(torch.tensor([90.0, 80.0, 0.0, 0.0]))
    clips = clips_for(model, 3)
    torch.testing.assert_close(model(clips), plain(model, clips).logits, rtol=0, atol=1e-5)
    model.train()(clips)
    assert model.expert_use() == {1: [0.5, 0.5, 0.0, 0.0], 2: [0.5, 0.5, 0.0, 0.0]}


def test_a_clip_does_not_depend_on_its_batch():
    model = lively(S4D(**TINY)).eval()
    clips = clips_for(model, 4)
    torch.testing.assert_close(torch.cat([model(clip[None]) for clip in clips]), model(clips), rtol=0, atol=1e-5)


def test_noise_of_the_routers_is_there_in_training_alone():
    model = lively(S4D(**TINY))
    clips = clips_for(model, 2)
    assert not torch.equal(model(clips), model(clips))
    model.eval()
    assert torch.equal(model(clips), model(clips))


def test_training_gives_the_same_bits_again(deterministic):
    model = lively(S4D(**TINY))
    clips = clips_for(model, 3)

    def gradients():
        torch.manual_seed(3)
        model.zero_grad()
        (model(clips).square().sum() + model.auxiliary_loss()).backward()
        return [parameter.grad.clone() for parameter in model.parameters()]

    assert all(torch.equal(first, second) for first, second in zip(gradients(), gradients()))


def test_routers_stay_exact_under_autocast():
    model = lively(S4D(**TINY)).eval()
    clips = clips_for(model, 2)
    scores = []
    model.mixtures()[2].router.register_forward_hook(lambda module, inputs, output: scores.append(output[0]))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(clips)
    assert scores[0].dtype == torch.float32
    torch.testing.assert_close(rounded.float(), model(clips), rtol=0.1, atol=0.2)


@pytest.mark.parametrize(("count", "width"), [(800, 768), (5, 6)])
def test_positions_are_those_of_videomae(count, width):
    torch.testing.assert_close(sinusoids(count, width), get_sinusoid_encoding_table(count, width).float(), rtol=0, atol=1e-6)


# Load balancing


def test_balance_by_hand():
    scores = torch.tensor([[0.9, 0.1], [0.3, 0.7]]).log()  # mean probabilities .6 and .4
    assert float(balance_loss(scores, torch.tensor([3, 1]))) == pytest.approx(2 * (0.75 * 0.6 + 0.25 * 0.4))


def test_balance_is_one_where_all_experts_are_used_alike():
    assert float(balance_loss(torch.zeros(7, 4), torch.tensor([3, 3, 3, 3]))) == pytest.approx(1)


def test_auxiliary_loss_is_that_of_the_last_forward_pass():
    model = lively(S4D(**TINY))
    clips = clips_for(model, 4)

    def gradients(*parts):
        model.zero_grad()
        torch.manual_seed(0)
        for part in parts:
            model(part)
            model.auxiliary_loss().backward()
        return model.mixtures()[1].router.topkroute_linear.weight.grad.clone()

    first, both = gradients(clips[:2]), gradients(clips[:2], clips[2:])
    assert first.abs().max() > 0
    torch.manual_seed(0)
    model(clips[:2])
    model.zero_grad()
    model(clips[2:])
    model.auxiliary_loss().backward()
    torch.testing.assert_close(model.mixtures()[1].router.topkroute_linear.weight.grad, both - first)


def test_evaluation_has_no_auxiliary_loss():
    model = S4D(**TINY)
    clips = clips_for(model, 1)
    model(clips)
    assert model.auxiliary_loss().item() >= 1
    model.eval()(clips)
    with pytest.raises(RuntimeError, match=r"^auxiliary_loss\(\) needs a forward pass in training mode before it$"):
        model.auxiliary_loss()


def test_expert_use_is_counted_over_the_passes_in_training_since_it_was_asked():
    model = lively(S4D(**TINY))
    clips = clips_for(model, 3)
    chosen = {index: [] for index in model.mixtures()}
    for index, layer in model.mixtures().items():
        layer.router.register_forward_hook(lambda module, inputs, output, index=index: chosen[index].append(output[2]))
    model(clips[:1])
    model(clips[1:])
    by_hand = {index: [float((torch.cat(seen) == expert).double().mean()) for expert in range(4)] for index, seen in chosen.items()}
    model.eval()(clips)
    assert {index: pytest.approx(shares) for index, shares in by_hand.items()} == model.expert_use()
    assert model.expert_use() == {1: [0.0] * 4, 2: [0.0] * 4}


def test_a_model_can_be_copied_while_it_trains():
    model = lively(S4D(**TINY))
    clips = clips_for(model, 1)
    model(clips)
    twin = copy.deepcopy(model).eval()
    assert torch.equal(twin(clips), model.eval()(clips))


# Names, sizes, freezing


def expected_names():
    dense = ["norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias", "attn.q_bias", "attn.v_bias", "attn.qkv.weight", "attn.proj.weight", "attn.proj.bias"]
    dense += [f"mlp.{layer}.{kind}" for layer in ("fc1", "fc2") for kind in ("weight", "bias")]
    layers = ["router.topkroute_linear", "router.noise_linear", *(f"experts.{expert}.{layer}" for expert in range(8) for layer in ("fc1", "fc2"))]
    names = {f"blocks.{index}.{name}" for index in range(12) for name in dense}
    names |= {f"blocks.{index}.moe_layer.{layer}.{kind}" for index in range(6, 12) for layer in layers for kind in ("weight", "bias")}
    return names | {f"{layer}.{kind}" for layer in ("patch_embed.proj", "fc_norm", "head") for kind in ("weight", "bias")}


def test_names_are_those_of_the_released_model():
    with torch.device("meta"):
        assert set(S4D().state_dict()) == expected_names()


def test_initial_weights():
    model = S4D(**TINY | {"width": 240})
    for name, parameter in model.named_parameters():
        if name.endswith("bias") and not name.startswith("patch_embed"):
            assert not parameter.any(), name
        elif parameter.ndim == 2:
            assert 0.015 < parameter.std().item() < 0.025, name


@pytest.mark.parametrize(("train_dense", "trained"), [(False, 14.28), (True, 14.28 + 42.52)])
def test_trained_and_frozen_parameters_at_real_size(train_dense, trained):
    with torch.device("meta"):
        model = S4D()
    freeze(model, frozen_blocks=6, train_dense=train_dense)
    counts = count_parameters(model)
    millions = {part: round(sum(count) / 1e6, 2) for part, count in counts.items()}
    assert millions == {
        "patch embedding": 1.18,
        "blocks 0-5": 42.52,
        "attention, MLPs and norms of blocks 6-11": 42.52,
        "experts and routers": 14.28,
        "fc_norm and head": 0.01,
    }
    assert sum(map(sum, counts.values())) == sum(parameter.numel() for parameter in model.parameters())
    assert sum(count.trained for count in counts.values()) / 1e6 == pytest.approx(trained, abs=0.02)
    assert counts["blocks 0-5"] == Count(0, 42522624)
    assert counts["experts and routers"] == Count(14275680, 0)


@pytest.mark.parametrize(
    ("frozen_blocks", "train_dense", "pattern"),
    [
        (2, False, r"blocks\.[23]\.moe_layer|fc_norm|head"),
        (2, True, r"blocks\.[23]|fc_norm|head"),
        (1, True, r"blocks\.[123]|fc_norm|head"),
        (0, True, r""),
    ],
)
def test_exactly_what_is_trained_gets_gradients(frozen_blocks, train_dense, pattern):
    model = lively(S4D(**LATE_EXPERTS, experts=2, top_k=2))
    freeze(model, frozen_blocks, train_dense)
    (model(clips_for(model, 2)).square().sum() + model.auxiliary_loss()).backward()
    got = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert got == {name for name, _ in model.named_parameters() if re.match(pattern, name)}


def test_gradients_above_frozen_blocks_are_those_of_the_whole():
    model = lively(S4D(**TINY))
    clips = clips_for(model, 2)
    torch.manual_seed(1)
    model(clips).square().sum().backward()
    whole = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    freeze(model, 1)
    torch.manual_seed(1)
    model(clips).square().sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(parameter.grad, whole[name])


def test_frozen_blocks_leave_no_graph():
    model = lively(S4D(**LATE_EXPERTS))
    freeze(model, 2, train_dense=True)
    graphs = []
    for block in model.blocks:
        block.register_forward_hook(lambda module, inputs, output: graphs.append(output.requires_grad))
    model(clips_for(model, 1))
    assert graphs == [False, False, True, True]
    assert model.frozen_blocks == 2


def test_blocks_with_experts_are_not_frozen():
    with pytest.raises(BadInput, match="frozen_blocks is 2; it must be from 0 to 1"):
        freeze(S4D(**TINY), 2)


def test_layer_decay_of_timm():
    model = S4D(**TINY)
    freeze(model, 1, train_dense=True)
    groups = param_groups_layer_decay(model, weight_decay=0.05, layer_decay=0.5)
    by_parameter = {parameter: (group["lr_scale"], group["weight_decay"]) for group in groups for parameter in group["params"]}
    found = {name: by_parameter[parameter] for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert len(by_parameter) == len(found)
    assert found["head.weight"] == (1, 0.05)
    assert found["fc_norm.weight"] == (1, 0)
    assert found["blocks.2.attn.qkv.weight"] == (0.5, 0.05)
    assert found["blocks.1.attn.q_bias"] == (0.25, 0)
    assert found["blocks.1.moe_layer.experts.0.fc1.weight"] == (0.25, 0.05)
