"""Whether each encoder could run now, and what it lacks. Standard library only, because Snakemake parses with it."""

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from blemore.configuration import CONCATENATION, encoders_of
from blemore.data.catalogue import Catalogue
from blemore.features.api_requests import api_key, what_leaves
from blemore.features.imported import places, read_predictions
from blemore.features.kinds import FINE_TUNED, IMAGE, OWN, OWN_HEAD, PREPROCESSING, SPEECH, VIDEO
from blemore.features.programs import lacking
from blemore.features.provided_files import provided_files
from blemore.features.weights import folder_of, is_fetched, is_name, offline
from blemore.foreign import differences, made_by
from blemore.job import BadInput
from blemore.problems import did_you_mean

READY, STORED, WEIGHTS_MISSING, GATED = "ready", "ready (stored)", "weights missing", "gated"
FOLDER_MISSING, FOLDER_INCOMPLETE, FOLDER_UNUSABLE, LAYERS_MISSING = "folder missing", "folder incomplete", "folder unusable", "layers missing"
KEY_MISSING, CONSENT_MISSING, PROGRAM_MISSING = "key missing", "consent missing", "program missing"
FILE_MISSING, FILE_UNUSABLE = "file missing", "file unusable"
BLOCKING = (
    GATED,
    FOLDER_MISSING,
    FOLDER_INCOMPLETE,
    FOLDER_UNUSABLE,
    LAYERS_MISSING,
    KEY_MISSING,
    CONSENT_MISSING,
    PROGRAM_MISSING,
    FILE_MISSING,
    FILE_UNUSABLE,
)
SIZE_GB = {  # four bytes for each parameter
    "facebook/wav2vec2-large": 1.3,
    "facebook/wav2vec2-base": 0.4,
    "microsoft/wavlm-large": 1.3,
    "facebook/hubert-large-ll60k": 1.3,
    "openai/clip-vit-base-patch32": 0.6,
    "facebook/dinov2-base": 0.3,
    "facebook/dinov3-vitb16-pretrain-lvd1689m": 0.3,
    "google/siglip2-base-patch16-224": 1.5,
    "microsoft/xclip-base-patch32": 0.8,
    "cyinen/S4D": 0.4,
    "MCG-NJU/videomae-base-finetuned-kinetics": 0.3,
    "facebook/timesformer-base-finetuned-k600": 0.5,
    "swin3d_t": 0.1,
    "swin3d_s": 0.2,
    "swin3d_b": 0.4,
}
GATED_NAME = re.compile(r"facebook/dinov3-.*")  # whose licence must be accepted on the hub first


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


def manifest_of(name: str) -> Path:
    """The manifest of an encoder's gathered store."""
    return Path(f"results/features/{name}.json")


def readiness(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> Readiness:
    """State of one encoder of `features`.

    Args:
        catalogue: None where the data set is not there.
    """
    manifests = _manifests(name, config, catalogue)
    state, detail, clips = KINDS[encoders_of(config)[name]["kind"]](name, config, catalogue)
    # A store helps where something is missing to make it, not where the setting itself cannot be.
    if manifests and all(path.is_file() for path in manifests) and state != LAYERS_MISSING:
        return Readiness(name, STORED, "", len({clip for path in manifests for clip in json.loads(path.read_text())["clips"]}))
    return Readiness(name, state, detail, clips)


def _manifests(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> list[Path]:
    """Of all that the encoder itself yields: features, or probabilities for every fold."""
    if encoders_of(config)[name]["kind"] not in OWN:
        return [manifest_of(name)]
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


def _weights(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> tuple[str, str, int | None]:
    encoder = config["features"][name]
    model, folder = encoder["model"], folder_of(encoder["model"], encoder["revision"], config["runtime"]["weights"])
    clips, setting = _with_video(catalogue), f"features.{name}.model"
    if "layers" in encoder and (folder / "config.json").is_file() and (lacking := _lacking_layers(name, encoder["layers"][1], folder)):
        return LAYERS_MISSING, lacking, clips
    if Path(model).exists():
        lacking = _lacking(encoder["kind"], folder, encoder.get("file"))
        return (FOLDER_INCOMPLETE, f"{setting} names {model}, which holds no {lacking}", clips) if lacking else (READY, f"{model}", clips)
    if not is_name(model):
        return FOLDER_MISSING, f"{setting} names {model}, which is neither a folder nor a name on the hub", clips
    if "file" in encoder:
        setting = f"{setting}, file {encoder['file']}"
    return (READY, str(folder), clips) if is_fetched(folder, encoder.get("file")) else (*_absent(model, setting), clips)


def _absent(model: str, setting: str) -> tuple[str, str]:
    what = f"{model}, {SIZE_GB[model]} GB ({setting})" if model in SIZE_GB else f"{model} ({setting})"
    if GATED_NAME.fullmatch(model) and not _has_token():
        return GATED, f"{what}: accept its licence on the hub and give your token in HF_TOKEN; or name a local folder"
    how = "HF_HUB_OFFLINE=1 forbids to fetch them" if offline() else "fetched by `snakemake weights`, or by the run itself where the hub can be reached"
    return WEIGHTS_MISSING, f"{what}: {how}; or name a local folder"


def _has_token() -> bool:
    """Whether the hub's client would find a token; where it looks is its documentation's."""
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    return bool(os.environ.get("HF_TOKEN")) or Path(os.environ.get("HF_TOKEN_PATH", home / "token")).is_file()


def _lacking_layers(name: str, last: int, folder: Path) -> str:
    try:
        layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
    except (ValueError, KeyError, TypeError):
        return ""  # the job that loads it says what is wrong with it
    return f"features.{name}.layers asks for {last} of the {layers} layers of {folder}" if last > layers else ""


def _lacking(kind: str, folder: Path, file: str | None) -> str:
    if file:
        return "" if (folder / file).is_file() else file
    if kind == "videoswin":
        return "" if folder.is_file() or len(list(folder.glob("*.pth"))) == 1 else "single .pth file"
    absent = [name for name in ("config.json", *PREPROCESSING.get(kind, ())) if not (folder / name).is_file()]
    there = any(folder.glob("*.safetensors")) or (folder / "pytorch_model.bin").is_file()
    return absent[0] if absent else "" if there else "model.safetensors or pytorch_model.bin"


def _prosody(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> tuple[str, str, int | None]:
    return READY, "needs no weights", _with_video(catalogue)


def _provided(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> tuple[str, str, int | None]:
    encoder, splits = config["features"][name], {clip.split for clip in catalogue.clips} if catalogue else {"train", "test"}
    places = {part: Path(config["data"]["root"], encoder[part]) for part in ("train", "test") if part in splits and encoder[part]}
    if absent := [f"features.{name}.{part} names {_and_beside(path)}" for part, path in places.items() if not path.exists()]:
        return FOLDER_MISSING, f"{', '.join(absent)}: nothing is there", None
    if not catalogue:
        return READY, "", None
    try:
        files = {clip: file for clip, (file, _, _) in provided_files(catalogue, encoder).items() if file}
        otherwise = [said for store in sorted({*files.values()}) if (said := _made_otherwise(store, config["features"]))]
    except BadInput as error:
        return FOLDER_UNUSABLE, str(error), None
    clips = {part: {clip.clip for clip in catalogue.clips if (clip.split == "test") == (part == "test")} for part in ("train", "test")}
    detail = "files for " + ", ".join(f"{len(files.keys() & clips[part])} of {len(clips[part])} {part} clips" for part in clips)
    return (READY if files else FOLDER_INCOMPLETE), "; ".join([detail, *otherwise]), len(files)


def _probabilities(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> tuple[str, str, int | None]:
    files = places(config["data"]["root"], config["features"][name]["files"])
    if absent := [_and_beside(file) for file in files if not file.is_file()]:
        return FILE_MISSING, f"features.{name}.files names {', '.join(absent)}: no such file", None
    if not catalogue:
        return READY, "", None
    try:
        found = read_predictions(files, {clip.clip: (clip.split, clip.fold) for clip in catalogue.clips})
    except BadInput as error:
        return FILE_UNUSABLE, str(error), None
    counts = [
        f"{sum(clip.clip in found for clip in catalogue.clips if clip.split == part)} of {sum(clip.split == part for clip in catalogue.clips)} {part} clips"
        for part in ("train", "test")
    ]
    return READY, f"predictions of {', '.join(counts)}", len(found)


def _and_beside(path: Path) -> str:
    """The path, and what its neighbours are called: names of folders differ between releases."""
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"{path} ({did_you_mean(path.name, beside)})" if beside else str(path)


def _made_otherwise(file: str, features: Mapping[str, Any]) -> str:
    """How a store was made, if its name is that of an encoder that would be made otherwise here."""
    if not file.endswith(".zarr") or features.get(name := Path(file).stem, {}).get("kind", "provided") == "provided":
        return ""
    made = made_by(file)
    stored = made.get("extraction", made["settings"])
    changed = list(differences(stored, {key: features[name][key] for key in stored if key in features[name]}))
    return f"{file} was made with other settings than features.{name} here ({'; '.join(changed)})" if changed else ""


def _concatenation(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> tuple[str, str, int | None]:
    parts = [readiness(part, config, catalogue) for part in config["concatenations"][name]]
    waiting = sorted((one for one in parts if one.state not in (READY, STORED)), key=lambda one: not one.blocks_run)
    known = [one.clips for one in parts if one.clips is not None]
    clips = min(known) if len(known) == len(parts) else None
    if waiting:
        return waiting[0].state, "; ".join(f"{one.encoder}: {one.detail}" for one in waiting), clips
    return READY, f"joins {', '.join(config['concatenations'][name])}", clips


def _external(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> tuple[str, str, int | None]:
    encoder, clips = config["features"][name], _with_video(catalogue)
    if absent := lacking(encoder):
        return PROGRAM_MISSING, f"features.{name} needs {', '.join(absent)}; put what is not there into its place", clips
    return READY, encoder["function"] or encoder["command"], clips


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
    **dict.fromkeys((*SPEECH, *IMAGE, *VIDEO, "videoswin", *FINE_TUNED), _weights),
    "prosody": _prosody,
    "provided": _provided,
    "probabilities": _probabilities,
    "gemini": _gemini,
    "external": _external,
    CONCATENATION: _concatenation,
}
