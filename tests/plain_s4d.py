"""S4D-ViTMoE once more, naively and from its description alone: what the encoder is compared with in tests and benchmarks."""

import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import torch
from torch.nn import functional

State = Mapping[str, torch.Tensor]


class Plain(NamedTuple):
    """What a forward pass gives."""

    logits: torch.Tensor  # (b, classes)
    balance: torch.Tensor  # sum of the load-balancing losses


def plain_s4d(state: State, clips: torch.Tensor, heads: int = 12, top_k: int = 2, noisy: bool = False) -> Plain:
    """Runs every expert on every token, with gradients for all that requires them.

    Args:
        state: the model's parameters by name.
        clips: (b, 3, frames, height, width).
        noisy: adds the routers' noise of training, drawn from torch's generator block by block.
    """
    tokens = embed(state, clips)
    balances = []
    for index in range(1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))):
        block = {name.removeprefix(f"blocks.{index}."): tensor for name, tensor in state.items() if name.startswith(f"blocks.{index}.")}
        tokens = tokens + attend(block, norm(block, "norm1", tokens), heads)
        inner = norm(block, "norm2", tokens)
        tokens = tokens + bottleneck(block, "mlp", inner)
        if "moe_layer.router.topkroute_linear.weight" in block:
            mixed, balance = mix(block, inner, top_k, noisy)
            tokens = tokens + mixed
            balances.append(balance)
    return Plain(linear(state, "head", norm(state, "fc_norm", tokens.mean(dim=1))), torch.stack(balances).sum())


def embed(state: State, clips: torch.Tensor) -> torch.Tensor:
    """Each tubelet as a vector, times the weights, plus its position."""
    weight = state["patch_embed.proj.weight"]
    width, _, tubelet, patch, _ = weight.shape
    batch, channels, frames, height, across = clips.shape
    cut = clips.reshape(batch, channels, frames // tubelet, tubelet, height // patch, patch, across // patch, patch)
    vectors = cut.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(batch, -1, channels * tubelet * patch * patch)
    tokens = vectors @ weight.reshape(width, -1).T + state["patch_embed.proj.bias"]
    return tokens + positions(tokens.shape[1], width).to(tokens)


@cache
def positions(count: int, width: int) -> torch.Tensor:
    """Sine and cosine in turn, of frequencies that fall with the column."""
    return torch.tensor(
        [
            [(math.cos if column % 2 else math.sin)(position / math.pow(10000, (column - column % 2) / width)) for column in range(width)]
            for position in range(count)
        ]
    )


def attend(block: State, tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """Softmax of the products of queries and keys, written out."""
    width = tokens.shape[-1]
    query, key, value = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in functional.linear(tokens, block["attn.qkv.weight"]).split(width, dim=-1))
    query = query + block["attn.q_bias"].reshape(heads, 1, -1)
    value = value + block["attn.v_bias"].reshape(heads, 1, -1)
    weights = (query @ key.transpose(2, 3) / math.sqrt(width / heads)).softmax(dim=-1)
    return linear(block, "attn.proj", (weights @ value).transpose(1, 2).flatten(2))


def mix(block: State, tokens: torch.Tensor, top_k: int, noisy: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum over all experts of gate times output, and the load-balancing loss."""
    scores = linear(block, "moe_layer.router.topkroute_linear", tokens)
    if noisy:
        scale = functional.softplus(linear(block, "moe_layer.router.noise_linear", tokens))
        scores = scores + torch.randn(scores.flatten(0, 1).shape, dtype=scores.dtype, device=scores.device).reshape(scores.shape) * scale
    experts = scores.shape[-1]
    lowest = scores.topk(top_k, dim=-1).values[..., -1:]
    gates = scores.masked_fill(scores < lowest, -math.inf).softmax(dim=-1)
    mixed = sum(gates[..., index : index + 1] * bottleneck(block, f"moe_layer.experts.{index}", tokens) for index in range(experts))
    used = (gates > 0).float().mean(dim=(0, 1)) / top_k
    return mixed, experts * sum(used[index] * scores.softmax(dim=-1)[..., index].mean() for index in range(experts))


def bottleneck(state: State, name: str, tokens: torch.Tensor) -> torch.Tensor:
    """Two linear layers with GELU between."""
    return linear(state, f"{name}.fc2", functional.gelu(linear(state, f"{name}.fc1", tokens)))


def linear(state: State, name: str, tokens: torch.Tensor) -> torch.Tensor:
    """A linear layer by its name."""
    return functional.linear(tokens, state[f"{name}.weight"], state[f"{name}.bias"])


def norm(state: State, name: str, tokens: torch.Tensor) -> torch.Tensor:
    """LayerNorm by its name."""
    return functional.layer_norm(tokens, tokens.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-6)
