"""Frozen models from local checkpoints in the Hugging Face layout."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from blemore.job import BadInput

DRAWN_IN_TRAINING = {"masked_spec_embed"}  # what stands for masked frames of speech, which nothing but training has


def load_model(folder: str | Path, kind: str, classes: Mapping[str, str], precision: str, device: str) -> Any:
    """A model in evaluation mode with all weights that it needs.

    Args:
        kind: of the encoder.
        classes: `model_type` of a checkpoint that is of this kind -> class of transformers as `module.Class`; its own module, since transformers
            as a whole takes 3 s more to import.
        precision: `float32` or `bfloat16`, whatever the checkpoint was saved in.

    Raises:
        BadInput: if the checkpoint is of another kind, lacks weights or is damaged.
    """
    found = model_type(folder)
    if found not in classes:
        raise BadInput(f"{folder} holds a checkpoint of {found}, not of {kind}; mend features.*.kind or features.*.model.")
    module, _, name = classes[found].rpartition(".")
    cls = getattr(import_module(f"transformers.models.{module}"), name)
    try:
        model, loading = cls.from_pretrained(folder, dtype=getattr(torch, precision), local_files_only=True, output_loading_info=True)
    except Exception as error:  # a damaged file raises whatever its reader does
        raise BadInput(f"{folder} cannot be loaded ({str(error).splitlines()[0]}); put the checkpoint's own files there.") from error
    if missing := sorted(set(loading["missing_keys"]) - DRAWN_IN_TRAINING):
        raise BadInput(f"{folder} lacks the weights {', '.join(missing[:3])} ({len(missing)} in all): it is no checkpoint of {kind}; mend features.*.model.")
    return model.eval().to(device)


def model_type(folder: str | Path) -> str:
    """What a checkpoint says that it is."""
    return str(read_json(Path(folder) / "config.json").get("model_type"))


def read_json(path: Path) -> dict[str, Any]:
    """A file of a checkpoint.

    Raises:
        BadInput: if it is absent or no JSON object.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read ({error}); put the checkpoint's own file there.") from None
    if not isinstance(content, dict):
        raise BadInput(f"{path} holds no settings; put the checkpoint's own file there.")
    return content
