"""A trained system in a folder: what is in it, and a configuration that predicts with it. Standard library only, because Snakemake parses with it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from blemore.data.catalogue import Catalogue
from blemore.features.kinds import FINE_TUNED
from blemore.features.readiness import FOLDER_MISSING, PROGRAM_MISSING, Readiness, readiness
from blemore.job import BadInput
from blemore.problems import did_you_mean, refuse
from blemore.settings import fingerprint, json_sha256, sha256

SCHEMA_VERSION = 2
FILE = "system.json"
PACKAGES = (  # all that a script of `SCRIPTS` names in the provenance of its stores
    *("av", "facenet-pytorch", "google-genai", "librosa", "numba", "numpy", "opencv-python-headless", "scikit-learn", "scipy", "soundfile"),
    *("timm", "torch", "torchvision", "transformers", "zarr"),
)
SENDING = ("accept_failed", "concurrency", "confirm_upload", "patience_s", "platform", "timeout_s")  # settings of gemini that whoever predicts decides
PROGRAM = ("command", "files", "function", "timeout_s")  # and of a program, since whoever exported it must not say what runs here
# What whoever exported it had agreed to or runs, which is never written into a system, and never taken from one.
NOT_AGREED: dict[str, dict[str, Any]] = {"gemini": {"confirm_upload": False}, "external": {"command": None, "files": [], "function": None}}
MODEL = re.compile(r"fold\d+|retrained")
TRAINS = ("all", "classifiers", "fusion", "report", "submission", "layer_curve", "system")  # targets
SCRIPTS = {  # all that is run between a video and its decision, and the environment that it is run in
    **dict.fromkeys(("track_faces.py", "embed_wav2vec2.py", "embed_image.py", "embed_video.py", "embed_videoswin.py", "embed_external.py"), "torch"),
    **dict.fromkeys(("crop_faces.py", "sample_body_frames.py", "extract_audio.py", "cut_clips.py", "embed_prosody.py"), "plain"),
    **dict.fromkeys(("gather_features.py", "import_provided.py", "concatenate_features.py", "write_predictions.py"), "plain"),
    **dict.fromkeys(("predict_head.py", "predict_finetuned.py"), "torch"),
    "embed_gemini.py": "gemini",
}


@dataclass(frozen=True)
class System:
    """An exported system; `content` is its system.json, whose SHA-256 stands for all of it."""

    folder: Path
    content: Mapping[str, Any]
    sha256: str

    @property
    def members(self) -> list[tuple[str, str]]:
        """(encoder, head) in the order of the weights."""
        return [(encoder, head) for encoder, head in self.content["members"]]

    @property
    def encoders(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(encoder for encoder, _ in self.members))

    @property
    def models(self) -> list[str]:
        """`fold0`, … or `retrained`: those whose mean predicts."""
        return self.content["models"]

    @property
    def fusion(self) -> dict[str, Any]:
        """What fuses the members: their weights, temperatures and thresholds."""
        return {name: self.content[name] for name in ("chosen", "ensemble", "members")}

    def path(self, name: str) -> str:
        """A file of the system."""
        return str(self.folder / name)

    def check(self, prefix: str) -> None:
        """Compares the files whose names begin so with what system.json says.

        Raises:
            BadInput: naming the first that is absent or another.
        """
        for name, digest in self.content["files"].items():
            path = self.folder / name
            if name.startswith(prefix) and (not path.is_file() or sha256(path) != digest):
                raise BadInput(f"{path} is {'not the file that' if path.is_file() else 'not there, but'} {FILE} names; copy the exported system again, whole.")


def system_of(config: Mapping[str, Any]) -> System | None:
    """The system that `predict.system` names, if any; what is no name at all is left to the check of the configuration.

    Raises:
        BadInput: see `open_system`.
    """
    block = config["predict"]
    named = block.get("system") if isinstance(block, Mapping) else None
    return open_system(named) if named and isinstance(named, str) else None


def completed(features: Any, system: System) -> Any:
    """The user's encoders; of one that names no kind, as where consent alone is given, the other settings are the system's, but for `NOT_AGREED`."""
    if not isinstance(features, Mapping):
        return features
    stored = without_agreement(system.content["settings"]["features"])
    partial = {name for name, encoder in features.items() if name in stored and isinstance(encoder, Mapping) and "kind" not in encoder}
    return {name: {**stored[name], **encoder} if name in partial else encoder for name, encoder in features.items()}


def without_agreement(features: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Settings of encoders with `NOT_AGREED`."""
    return {name: {**encoder, **NOT_AGREED.get(encoder["kind"], {})} for name, encoder in features.items()}


def open_system(folder: str | Path) -> System:
    """Reads an exported system.

    Raises:
        BadInput: if there is none, or it is not as it was written.
    """
    path = Path(folder) / FILE
    try:
        content = json.loads(path.read_text())
        stated = content.pop("content_sha256")
        whole = stated == json_sha256(content)
    except FileNotFoundError:
        raise BadInput(f"{path} is not there; name a folder that `snakemake system` has made, results/system/all for example, in predict.system.") from None
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        whole = False
    if not whole:
        raise BadInput(f"{path} is damaged; copy the exported system again, whole.")
    if content["schema_version"] != SCHEMA_VERSION:
        raise BadInput(f"{path} is of version {content['schema_version']}, and this code reads version {SCHEMA_VERSION}; export it by this code again.")
    if wrong := [model for model in content["models"] if not MODEL.fullmatch(model)]:
        raise BadInput(f"{path} names the model {wrong[0]!r}, which is neither fold0 and so on nor retrained; take a system that `snakemake system` made.")
    return System(Path(folder), content, stated)


def versions() -> dict[str, Any]:
    """Digests of the code that predicts, and versions of the packages that are installed."""
    return {"code": code(), "packages": {name: number for name in PACKAGES if (number := _version(name))}}


@cache
def code() -> dict[str, str]:
    """Digest of every file of code and of every environment that a prediction depends on."""
    return {name: digest for script, env in SCRIPTS.items() for name, digest in fingerprint(script, env).items()}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def notice(system: System) -> str:
    """One sentence on code and packages that differ from those that exported the system; empty if none does."""
    today = versions()
    changed = sorted(name for name in {*today["code"], *system.content["code"]} if today["code"].get(name) != system.content["code"].get(name))
    numbers = system.content["packages"]
    changed += [f"{name} {numbers[name]} -> {number}" for name, number in today["packages"].items() if numbers.get(name, number) != number]
    return f"{system.folder} was exported by other code or packages, so numbers may differ a little: {', '.join(changed)}." if changed else ""


def configured(config: Mapping[str, Any], system: System) -> dict[str, Any]:
    """The blocks of the configuration that a system decides; the user decides where things lie and what may leave the machine.

    Raises:
        BadInput: if `predict.places` names what is no encoder of the system, or one that brings all that it needs.
    """
    stored, places = system.content["settings"], config["predict"]["places"]
    known = [name for name, encoder in stored["features"].items() if _is_elsewhere(encoder)]
    refuse(
        [
            f"predict.places names {name}, no encoder of {system.folder} whose weights or arrays lie elsewhere: {did_you_mean(name, known)}"
            for name in places
            if name not in known
        ],
        "predict.places",
    )
    features = {name: placed for name, encoder in stored["features"].items() if (placed := _placed(name, encoder, config, system))}
    return {
        "encoders": system.encoders,
        "missing_encoders": config["predict"]["missing_encoders"],
        "data": {**config["data"], "root": ".", "folds": "sheet", "only_actors": [], "max_failed_fraction": 1},
        "media": stored["media"],
        "features": {**config["features"], **features},
        "concatenations": {**config["concatenations"], **stored["concatenations"]},
        "classify": {**config["classify"], "heads": {**config["classify"]["heads"], **stored["heads"]}},
        "fusion": {**config["fusion"], "ensembles": {}},
    }


def _is_elsewhere(encoder: Mapping[str, Any]) -> bool:
    """Whether it needs weights or arrays that the system does not hold."""
    return encoder["kind"] == "provided" or ("model" in encoder and encoder["kind"] not in (*FINE_TUNED, "gemini"))


def _placed(name: str, encoder: Mapping[str, Any], config: Mapping[str, Any], system: System) -> dict[str, Any] | None:
    """The settings of an encoder on this machine; None for a program that the user has not configured here."""
    place, here = config["predict"]["places"].get(name), config["features"].get(name, {})
    if encoder["kind"] == "external":
        return {**encoder, **{setting: here[setting] for setting in PROGRAM}} if here.get("kind") == "external" else None
    if encoder["kind"] == "gemini":
        agreed = {setting: here[setting] for setting in SENDING} if here.get("kind") == "gemini" else {"confirm_upload": False}
        return {**encoder, **agreed}
    if encoder["kind"] == "provided":
        return {**encoder, "test": place}
    if encoder["kind"] in FINE_TUNED:
        file = {"file": "model.safetensors"} if "file" in encoder else {}
        return {**encoder, **file, "model": system.path(f"finetune/{name}/{system.models[0]}/seed{encoder['seeds'][0]}")}
    return {**encoder, "model": place} if place else dict(encoder)


def select(config: Mapping[str, Any], system: System, catalogue: Catalogue) -> list[str]:
    """The encoders of the system that can run here: all, or with `predict.missing_encoders: skip` those that lack nothing.

    Raises:
        BadInput: with everything that is missing, if that is an error or nothing is left.
    """
    found = [state(name, config, catalogue) for name in system.encoders]
    blocked = [one for one in found if one.blocks_run]
    if blocked and (config["missing_encoders"] == "error" or len(blocked) == len(found)):
        lines = "".join(f"\n  - {one.encoder}: {one.state}: {one.detail}" for one in blocked)
        ways = "" if len(blocked) == len(found) else ", or set predict.missing_encoders to skip"
        raise BadInput(
            f"{len(blocked)} of {len(found)} encoders of {system.folder} cannot run; provide what they lack (predict.places says where the weights of an "
            f"encoder, or the given arrays of the new clips, lie on this machine){ways}:{lines}"
        )
    return [one.encoder for one in found if not one.blocks_run]


def state(name: str, config: Mapping[str, Any], catalogue: Catalogue | None) -> Readiness:
    """What an encoder of a system needs on this machine."""
    parts = config["concatenations"].get(name, [name])
    absent = [part for part in parts if part not in config["features"]]
    without = [part for part in parts if part not in absent and config["features"][part]["kind"] == "provided" and not config["features"][part]["test"]]
    if config["features"].get(name, {}).get("kind") == "probabilities":
        return Readiness(name, FOLDER_MISSING, "its predictions came from elsewhere, so the system has no model of it", None)
    if absent:
        return Readiness(name, PROGRAM_MISSING, f"the system does not bring the program of {', '.join(absent)}; configure it in features", None)
    if without:
        return Readiness(name, FOLDER_MISSING, f"the arrays of the new clips were given for {', '.join(without)}; name their place in predict.places", None)
    return readiness(name, config, catalogue)


def check_targets(arguments: Sequence[str], predicts: bool) -> None:
    """Compares the targets on a command line with what the run can make.

    Raises:
        BadInput: if new clips are to be predicted without a system, or something is to be trained beside one.
    """
    folders = {"-d", "--directory"}
    asked = [word for before, word in zip(["", *arguments], arguments) if before not in folders]
    if not predicts and "predict" in asked:
        raise BadInput("predict needs a trained system: name a folder that `snakemake system` has made in predict.system, and the videos in predict.videos.")
    if predicts and (training := [word for word in asked if word in TRAINS]):
        raise BadInput(f"predict.system is set, and {training[0]} trains; ask for predict, media, features or check, or set it to null.")
