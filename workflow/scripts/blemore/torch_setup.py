"""Where and how torch computes: device, precision, and the one thread and seed without which bits change."""

import os

import torch

BFLOAT16, FLOAT16, FLOAT32 = "bfloat16", "float16", "float32"


def deterministic() -> None:
    """Makes torch give the same bits for the same input on the same machine."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # on a GPU, matrix products refuse to be deterministic without it
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms(True), which loads PyTorch's compiler first, for 1.2 s
    torch.backends.cudnn.allow_tf32 = False  # on a GPU it would change convolutions by 1e-3


def resolve_device(device: str) -> str:
    """`auto` is the GPU where there is one."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def resolve_precision(precision: str, device: str) -> str:
    """`auto` is float32 on a CPU, and on a GPU bfloat16 where it has that, else float16."""
    if precision != "auto":
        return precision
    if device == "cpu":
        return FLOAT32
    return BFLOAT16 if torch.cuda.is_bf16_supported() else FLOAT16


def autocast(device: str, precision: str) -> torch.autocast:
    """Where the forward pass computes in fewer bits; switched off for float32."""
    return torch.autocast(device, dtype=getattr(torch, precision) if precision != FLOAT32 else torch.bfloat16, enabled=precision != FLOAT32)
