"""Rates, schedule and mixing, as far as timm and torch have them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from timm.data.mixup import Mixup
from timm.optim import param_groups_layer_decay
from timm.scheduler import CosineLRScheduler
from torch import nn

from blemore.finetune.trainee import Trainee

BETAS = (0.9, 0.999)
WARMUP_START = 1e-7  # rate of the first update of a warm-up


def parameter_groups(trainee: Trainee, training: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Trained parameters by layer: no weight decay on those of one dimension, lower rates further from the head, and the head at its own."""
    network = trainee.network
    groups = param_groups_layer_decay(network, training["weight_decay"], layer_decay=training["layer_decay"])
    fresh = {id(parameter) for name, parameter in network.named_parameters() if name.startswith(trainee.head)}
    split = []
    for group in groups:
        for is_head in (False, True):
            members = [parameter for parameter in group["params"] if (id(parameter) in fresh) == is_head]
            rate = {"lr": training["head_learning_rate"], "lr_scale": 1.0} if is_head else {"lr": training["learning_rate"]}
            split += [{**group, "params": members, **rate}] if members else []
    return split


def schedule(optimizer: torch.optim.Optimizer, updates_per_epoch: int, training: Mapping[str, Any]) -> CosineLRScheduler:
    """Linear warm-up, then half a cosine down to zero over the epochs of the recipe, by update."""
    return CosineLRScheduler(
        optimizer,
        t_initial=training["epochs"] * updates_per_epoch,
        warmup_t=training["warmup_epochs"] * updates_per_epoch,
        warmup_lr_init=WARMUP_START,
        t_in_epochs=False,
    )


def mix(clips: torch.Tensor, labels: torch.Tensor, mixup: float, cutmix: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mixes a batch of clips with itself in reverse order, and their soft labels by the same share.

    Args:
        clips: (b, 3, t, h, w); all frames are cut at the same place. Of an odd number the last clip stays as it is.
        mixup, cutmix: alpha of the beta distribution; 0 never does it.
        seed: of the random numbers, which timm draws from NumPy's global generator.
    """
    even = len(clips) // 2 * 2
    if not even or not (mixup or cutmix):
        return clips, labels
    np.random.seed(seed)
    blend = Mixup(mixup, cutmix, label_smoothing=0.0, num_classes=labels.shape[1], multi_label=True)
    mixed, target = blend(clips[:even].flatten(1, 2), labels[:even])
    return torch.cat([mixed.unflatten(1, clips.shape[1:3]), clips[even:]]), torch.cat([target, labels[even:]])


def trained_state(network: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters that are trained; frozen ones are those of the checkpoint."""
    return {name: parameter.detach() for name, parameter in network.named_parameters() if parameter.requires_grad}
