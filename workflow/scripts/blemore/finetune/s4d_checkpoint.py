"""Self-supervised checkpoints of S4D: reading the released layout, and writing it with random numbers."""

import argparse
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from blemore.job import BadInput

# The encoder after 100 epochs on VoxCeleb2 and AffectNet; experts, fc_norm and head are not in it.
RELEASED_REPOSITORY, RELEASED_FILE = "cyinen/S4D", "vit_base_voxceleb2+affectnet_100.pt"
ENCODER = "encoder."
# What only the reconstruction of masked patches needed.
DROPPED = ("decoder.", "mask_token", "encoder_to_decoder.", "encoder.norm.")
SHOWN = 3


class Loaded(NamedTuple):
    """Names of the tensors that were taken, those of the model that the checkpoint does not hold, and those of it that the model has no use for."""

    taken: list[str]
    fresh: list[str]
    dropped: list[str]


def load_encoder(model: nn.Module, path: str | Path, fresh: set[str]) -> Loaded:
    """Copies an encoder into the model.

    Args:
        path: `.safetensors`, else a file of torch: its entry `model`, else `module`, else all of it, with keys prefixed by `encoder.`.
        fresh: names of the model's state that must not be in it.

    Raises:
        BadInput: if it cannot be read without running code from it, or its names or shapes are not exactly those that are needed.
    """
    tensors = read_tensors(Path(path))
    dropped = sorted(name for name in tensors if name.startswith(DROPPED))
    state = {name.removeprefix(ENCODER): tensor for name, tensor in tensors.items() if not name.startswith(DROPPED)}
    needed = {name: tensor for name, tensor in model.state_dict().items() if name not in fresh}
    _check_names(path, set(needed) - set(state), set(state) - set(needed))
    _check_shapes(path, needed, state)
    model.load_state_dict(state, strict=False)
    return Loaded(sorted(state), sorted(fresh), dropped)


def read_tensors(path: Path) -> Mapping[str, torch.Tensor]:
    """The tensors of a checkpoint by name, on the CPU.

    Raises:
        BadInput: if it is absent, no checkpoint, or holds objects that only running code from it could restore.
    """
    if not path.is_file():
        raise BadInput(f"{path} is not there; put {RELEASED_FILE} of {RELEASED_REPOSITORY} into its place, or name another file.")
    content = _read(path)
    for entry in ("model", "module"):
        if isinstance(content, Mapping) and isinstance(content.get(entry), Mapping):
            content = content[entry]
            break
    if not isinstance(content, Mapping) or not content or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise BadInput(f"{path} is no checkpoint of S4D: neither it nor its entry `model` or `module` maps names to tensors; name another file.")
    return content


def _read(path: Path) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals([argparse.Namespace]):  # the training arguments, which VideoMAE's code saves beside the model
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, zipfile and safetensors each raise their own
        if isinstance(error, pickle.UnpicklingError) and _is_of_torch(path):
            raise BadInput(
                f"{path} holds objects other than tensors, and reading them could run code, which is never done here; "
                "where you trust the file, write its entry `model` as .safetensors, and name that."
            ) from error
        raise BadInput(f"{path} cannot be read ({' '.join(str(error).split())[:200]}); fetch it again, or name another file.") from error


def _is_of_torch(path: Path) -> bool:
    """Whether a file is a zip or a pickle, as torch.save writes them; any other makes torch complain of forbidden objects too."""
    with open(path, "rb") as file:
        return file.read(1) == pickle.PROTO or zipfile.is_zipfile(path)


def _check_names(path: str | Path, missing: set[str], unexpected: set[str]) -> None:
    problems = [f"{what} {_some(names)}" for what, names in (("lacks", missing), ("holds the unknown", unexpected)) if names]
    if problems:
        raise BadInput(f"{path} is no self-supervised encoder of this model: it {' and '.join(problems)}; mend the sizes, or name another file.")


def _check_shapes(path: str | Path, needed: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]) -> None:
    wrong = [name for name in sorted(needed) if needed[name].shape != found[name].shape]
    if wrong:
        name = wrong[0]
        raise BadInput(
            f"{path} has other sizes than the model: {name} is {tuple(found[name].shape)} in it and {tuple(needed[name].shape)} in the model "
            f"({len(wrong)} such in all); mend the sizes, or name another file."
        )


def _some(names: set[str]) -> str:
    shown = sorted(names)[:SHOWN]
    return f"{', '.join(shown)} ({len(names)} in all)" if len(names) > len(shown) else ", ".join(shown)


def write_encoder(path: str | Path, encoder: Mapping[str, torch.Tensor]) -> None:
    """Writes an encoder in the layout of the released checkpoint, with random numbers for what only the reconstruction needed.

    Args:
        path: `.safetensors` holds the tensors alone, another suffix them as the entry `model` beside an epoch.
        encoder: tensors by the model's names.
    """
    width = encoder["patch_embed.proj.bias"].numel()
    tensors = {ENCODER + name: tensor for name, tensor in encoder.items()}
    tensors |= {f"{ENCODER}norm.weight": torch.ones(width), f"{ENCODER}norm.bias": torch.zeros(width)}
    tensors |= {"mask_token": torch.randn(1, 1, width // 2), "encoder_to_decoder.weight": torch.randn(width // 2, width)}
    tensors |= {"decoder.norm.weight": torch.ones(width // 2)}
    if Path(path).suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save({"model": tensors, "epoch": 99}, path)
