"""Whether each encoder could run now, and what it lacks. Standard library only, because Snakemake parses with it."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from blemore.data.catalogue import Catalogue
from blemore.features.api_requests import api_key, what_leaves
from blemore.features.kinds import OWN, OWN_HEAD, SPEECH
from blemore.features.weights import HUB_NAME, folder_of
from blemore.job import BadInput

READY, STORED, WEIGHTS_MISSING = "ready", "ready (stored)", "weights missing"
FOLDER_MISSING, FOLDER_INCOMPLETE, LAYERS_MISSING = "folder missing", "folder incomplete", "layers missing"
KEY_MISSING, CONSENT_MISSING = "key missing", "consent missing"
BLOCKING = (FOLDER_MISSING, FOLDER_INCOMPLETE, LAYERS_MISSING, KEY_MISSING, CONSENT_MISSING)
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
SIZE_GB = {  # four bytes for each parameter
    "facebook/wav2vec2-large": 1.3,
    "facebook/wav2vec2-base": 0.4,
    "microsoft/wavlm-large": 1.3,
    "facebook/hubert-large-ll60k": 1.3,
}


class Readiness(NamedTuple):
    """What one encoder needs, and for how many clips it can be computed (None while the clips are unknown)."""

    encoder: str
    state: str
    detail: str
    clips: int | None

    @property
    def blocks_run(self) -> bool:
        """Whether a run cannot get it by itself; weights are fetched by the run, unless the hub is forbidden."""
        return self.state in BLOCKING or (self.state == WEIGHTS_MISSING and offline())


def offline() -> bool:
    """Whether the user forbids the Hugging Face hub."""
    return os.environ.get("HF_HUB_OFFLINE") == "1"


def readiness(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> Readiness:
    """State of one encoder of `features`.

    Args:
        catalogue: None where the data set is not there.
    """
    manifests = _manifests(name, config, catalogue)
    state, detail, clips = KINDS[config["features"][name]["kind"]](name, config, catalogue)
    # A store helps where something is missing to make it, not where the setting itself cannot be.
    if manifests and all(path.is_file() for path in manifests) and state != LAYERS_MISSING:
        return Readiness(name, STORED, "", len(json.loads(manifests[0].read_text())["clips"]))
    return Readiness(name, state, detail, clips)


def _manifests(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> list[Path]:
    """Of all that the encoder itself yields: features, or probabilities for every fold."""
    if config["features"][name]["kind"] not in OWN:
        return [Path(f"results/features/{name}.json")]
    return [Path(f"results/probabilities/{name}/{OWN_HEAD}/fold{fold}.json") for fold in (catalogue.folds if catalogue else [])]


def select_encoders(config: Mapping[str, Any], catalogue: Catalogue | None) -> list[str]:
    """The encoders that take part: all that are configured, or with `missing_encoders: skip` those that can run.

    Raises:
        BadInput: with everything that is missing, if that is an error or nothing is left.
    """
    found = [readiness(name, config, catalogue) for name in config["encoders"]]
    blocked = [one for one in found if one.blocks_run]
    if blocked and (config["missing_encoders"] == "error" or len(blocked) == len(found)):
        lines = "".join(f"\n  - {one.encoder}: {one.state}: {one.detail}" for one in blocked)
        ways = "leave them out of `encoders`" + ("" if len(blocked) == len(found) else ", or set missing_encoders to skip")
        raise BadInput(f"{len(blocked)} of {len(found)} encoders cannot run; provide what they lack, {ways}:{lines}")
    return [one.encoder for one in found if not one.blocks_run]


def _speech(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> tuple[str, str, int | None]:
    model, revision = config["features"][name]["model"], config["features"][name]["revision"]
    folder, clips, setting = folder_of(model, revision, config["runtime"]["weights"]), _with_video(catalogue), f"features.{name}.model"
    if (folder / "config.json").is_file() and (lacking := _lacking_layers(name, config["features"][name]["layers"][1], folder)):
        return LAYERS_MISSING, lacking, clips
    if Path(model).is_dir():
        lacking = _lacking(folder)
        return (FOLDER_INCOMPLETE, f"{setting} names {model}, which holds no {lacking}", clips) if lacking else (READY, f"{model}", clips)
    if not HUB_NAME.fullmatch(model):
        return FOLDER_MISSING, f"{setting} names {model}, which is neither a folder nor a name on the hub", clips
    if (folder / "config.json").is_file():
        return READY, str(folder), clips
    size = f", {SIZE_GB[model]} GB" if model in SIZE_GB else ""
    how = "HF_HUB_OFFLINE=1 forbids to fetch them" if offline() else "fetched by `snakemake weights`, or by the run itself where the hub can be reached"
    return WEIGHTS_MISSING, f"{model}{size} ({setting}): {how}; or name a local folder", clips


def _lacking_layers(name: str, last: int, folder: Path) -> str:
    try:
        layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
    except (ValueError, KeyError, TypeError):
        return ""  # the job that loads it says what is wrong with it
    return f"features.{name}.layers asks for {last} of the {layers} layers of {folder}" if last > layers else ""


def _lacking(folder: Path) -> str:
    if not (folder / "config.json").is_file():
        return "config.json"
    return "" if any((folder / file).is_file() for file in WEIGHT_FILES) else " or ".join(WEIGHT_FILES)


def _prosody(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> tuple[str, str, int | None]:
    return READY, "needs no weights", _with_video(catalogue)


def _provided(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> tuple[str, str, int | None]:
    splits = {clip.split for clip in catalogue.clips} if catalogue else {"train", "test"}
    folders = {part: config["features"][name][part] for part in ("train", "test") if part in splits}
    paths = {part: Path(config["data"]["root"], folder) if folder else None for part, folder in folders.items()}
    absent = [f"features.{name}.{part} names {path}" for part, path in paths.items() if path and not path.is_dir()]
    if absent:
        return FOLDER_MISSING, f"{', '.join(absent)}: no such folder", None
    if not catalogue:
        return READY, "", None
    files = {clip for clip, (file, _, _) in catalogue.provided(config["features"][name]).items() if file}
    clips = {part: {clip.clip for clip in catalogue.clips if (clip.split == "test") == (part == "test")} for part in ("train", "test")}
    detail = "files for " + ", ".join(f"{len(files & clips[part])} of {len(clips[part])} {part} clips" for part in clips)
    return (READY if files else FOLDER_INCOMPLETE), detail, len(files)


def _gemini(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> tuple[str, str, int | None]:
    encoder, clips = config["features"][name], _with_video(catalogue)
    leaves = what_leaves(config["media"]["clips"], encoder)
    if not encoder["confirm_upload"]:
        return CONSENT_MISSING, f"{leaves}; `snakemake gemini_estimate` prints the cost, features.{name}.confirm_upload: true agrees to both", clips
    if encoder["platform"] == "developer" and not api_key():
        return KEY_MISSING, "no key in the environment: set GEMINI_API_KEY or GOOGLE_API_KEY", clips
    if encoder["platform"] == "vertex" and not os.environ.get("GOOGLE_CLOUD_PROJECT"):
        return KEY_MISSING, "no project in the environment: set GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION and the credentials of Google Cloud", clips
    return READY, f"{leaves}", clips


def _with_video(catalogue: Catalogue | None) -> int | None:
    return sum(clip.video is not None for clip in catalogue.clips) if catalogue else None


KINDS: dict[str, Callable[[str, Mapping[str, Any], Catalogue | None], tuple[str, str, int | None]]] = {
    **dict.fromkeys(SPEECH, _speech),
    "prosody": _prosody,
    "provided": _provided,
    "gemini": _gemini,
}
