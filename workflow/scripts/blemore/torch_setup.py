"""One thread and one seed: thread count and algorithm choice change bits."""

import os

import torch


def deterministic(seed: int = 0) -> None:
    """Makes torch give the same bits for the same input on the same machine."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # on a GPU, matrix products refuse to be deterministic without it
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.allow_tf32 = False  # on a GPU it would change convolutions by 1e-3


def resolve_device(device: str) -> str:
    """`auto` is the GPU where there is one."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
