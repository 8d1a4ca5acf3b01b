"""The parts of S4D-ViTMoE: positions, attention, the mixture of adapter experts, blocks."""

from typing import Any

import numpy as np
import torch
from timm.layers import Mlp
from torch import nn
from torch.nn import functional

from blemore.finetune.s4d_sizes import Sizes

NORM_EPSILON = 1e-6


def sinusoids(positions: int, width: int) -> torch.Tensor:
    """The fixed table of positions, float32 (1, positions, width): sine in even columns, cosine in odd ones.

    Source: "Attention Is All You Need", section 3.5.
    """
    columns = np.arange(width)
    angles = np.arange(positions)[:, None] / 10000.0 ** (2 * (columns // 2) / width)
    return torch.from_numpy(np.where(columns % 2 == 0, np.sin(angles), np.cos(angles)).astype(np.float32))[None]


class Attention(nn.Module):
    """Self-attention whose keys have no bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(b, n, width) -> (b, n, width)."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        query, key, value = functional.linear(tokens, self.qkv.weight, bias).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.proj(functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Router(nn.Module):
    """Chooses `top_k` experts for each token; in training, noise of a learned scale is added to their scores."""

    def __init__(self, width: int, experts: int, top_k: int) -> None:
        super().__init__()
        self.top_k = top_k
        self.topkroute_linear = nn.Linear(width, experts)
        self.noise_linear = nn.Linear(width, experts)

    def forward(self, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(n, width) -> scores (n, experts), and of the chosen ones the gates (n, top_k), which sum to 1, and the indices (n, top_k)."""
        with torch.autocast(tokens.device.type, enabled=False):  # rounding to 16 bits would send tokens to other experts
            exact = tokens.to(self.topkroute_linear.weight.dtype)
            scores = self.topkroute_linear(exact)
            if self.training:
                scores = scores + torch.randn_like(scores) * functional.softplus(self.noise_linear(exact))
        best, chosen = scores.topk(self.top_k, dim=1)
        return scores, best.softmax(1), chosen


class Mixture(nn.Module):
    """Adapter experts, of which each token goes through `top_k`; no expert ever refuses a token.

    After a forward pass in training, `balance` is the Switch loss of that pass; `use` counts the choices of all
    forward passes in training since `take_use`.
    """

    balance: torch.Tensor | None
    use: torch.Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.router = Router(sizes.width, sizes.experts, sizes.top_k)
        self.experts = nn.ModuleList(Mlp(sizes.width, sizes.bottleneck) for _ in range(sizes.experts))
        self.balance = None
        self.register_buffer("use", torch.zeros(sizes.experts, dtype=torch.int64), persistent=False)

    def __getstate__(self) -> dict[str, Any]:
        # `balance` holds a graph, which no copy of the model can take along.
        return {**self.__dict__, "balance": None}

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(b, n, width) -> (b, n, width)."""
        flat = tokens.flatten(0, 1)
        scores, gates, chosen = self.router(flat)
        counts = torch.bincount(chosen.flatten(), minlength=len(self.experts))
        self.balance = balance_loss(scores, counts) if self.training else None
        if self.training:
            self.use += counts
        order = chosen.flatten().argsort(stable=True)
        sources = order // self.router.top_k
        parts = [expert(rows) for expert, rows in zip(self.experts, flat.index_select(0, sources).split(counts.tolist()))]
        weighted = torch.cat(parts) * gates.flatten().index_select(0, order)[:, None]
        return torch.zeros_like(flat).index_add(0, sources, weighted.to(flat.dtype)).unflatten(0, tokens.shape[:2])

    def take_use(self) -> torch.Tensor:
        """Choices of each expert since the last call, int64 (experts,)."""
        use = self.use.clone()
        self.use.zero_()
        return use


def balance_loss(scores: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Experts times the sum over experts of (fraction of choices) times (mean probability): 1 if all are used alike.

    Args:
        scores: of all experts for each token, (n, experts).
        counts: how often each was chosen, (experts,).

    Source: Switch Transformers, arXiv:2101.03961, equations 4 to 6.
    """
    return len(counts) * (counts / counts.sum() * scores.softmax(1).mean(0)).sum()


class Block(nn.Module):
    """A transformer block; from `first_moe_block` on, experts run beside the dense MLP."""

    def __init__(self, sizes: Sizes, experts: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.width, eps=NORM_EPSILON)
        self.attn = Attention(sizes.width, sizes.heads)
        self.norm2 = nn.LayerNorm(sizes.width, eps=NORM_EPSILON)
        self.mlp = Mlp(sizes.width, sizes.mlp_ratio * sizes.width)
        self.moe_layer = Mixture(sizes) if experts else None

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(b, n, width) -> (b, n, width)."""
        tokens = tokens + self.attn(self.norm1(tokens))
        normed = self.norm2(tokens)
        tokens = tokens + self.mlp(normed)
        return tokens if self.moe_layer is None else tokens + self.moe_layer(normed)
