"""What the configuration may say, and what it means: unknown settings, contradictions, ensembles. Standard library only, except for validation."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from blemore.features import programs
from blemore.features.api_requests import MOST_FRAMES
from blemore.features.kinds import FINE_TUNED, OWN, OWN_HEAD, SPEECH
from blemore.features.ranges import highest, layer_ranges, range_name
from blemore.features.sound import SPEECH_RATE_HZ
from blemore.finetune.recipes import resolve
from blemore.finetune.s4d_sizes import Sizes
from blemore.fusion.published_weights import PUBLISHED
from blemore.fusion.steps import steps_of_one
from blemore.job import BadInput
from blemore.problems import did_you_mean, expectation, load_schema, refuse, validator
from blemore.settings import SCRIPTS

NAME = re.compile(r"[a-z][a-z0-9_]*")
TARGETS = {
    "all",
    "check",
    "weights",
    "media",
    "features",
    "classifiers",
    "fusion",
    "report",
    "submission",
    "predict",
    "system",
    "gemini_estimate",
    "validate",
    "layer_curve",
}
RULES = {script.stem for script in SCRIPTS.glob("*.py")}
CONCATENATION = "concatenation"
KINDS = (("features", "encoder"), ("classify.heads", "head"))
PICTURES_BY = {"faces": "track", "body": "body"}  # block of `media` that sets their rate
MAY_BE_NONE = ("ema", "clip_grad", "patience")


def validate(config: Mapping[str, Any]) -> None:
    """Checks types, ranges, names and contradictions.

    Raises:
        BadInput: with all problems at once, each with the setting, its value and what is allowed.
    """
    validate_types(config)
    refuse([*_encoder_problems(config), *_curve_problems(config), *_ensemble_problems(config), *_published_problems(config)], "the configuration")


def validate_types(config: Mapping[str, Any]) -> None:
    """Checks types, ranges and names alone, which is what can be wrong where the rest was checked when it was used for training.

    Raises:
        BadInput: as `validate`.
    """
    schema = load_schema("config")
    problems = list(_schema_problems(config, schema, ""))
    refuse(problems or [*_kind_problems(config, schema), *_name_problems(config)], "the configuration")


def encoders_of(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Everything that may be named as an encoder, with its settings: `features`, and `concatenations` as a kind of their own."""
    joined = {name: {"kind": CONCATENATION, "encoders": parts} for name, parts in config["concatenations"].items()}
    return {**config["features"], **joined}


def parts_of(config: Mapping[str, Any], encoders: Iterable[str]) -> list[str]:
    """The encoders with each concatenation replaced by what it joins, each once."""
    return list(dict.fromkeys(part for name in encoders for part in config["concatenations"].get(name, [name])))


def active_ensembles(config: Mapping[str, Any], encoders: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Ensemble -> its (encoder, head) pairs; each encoder alone is one, and ensembles with a member that does not take part are left out.

    Args:
        encoders: the names that take part, after `missing_encoders` is applied.
    """
    ensembles = {encoder: [member(encoder, config)] for encoder in encoders}
    for name, listed in config["fusion"]["ensembles"].items():
        members = [member(item, config) for item in (encoders if listed == "all" else listed)]
        if all(encoder in encoders for encoder, _ in members):
            ensembles[name] = members
    return ensembles


def left_out(config: Mapping[str, Any], encoders: Sequence[str], ensembles: Mapping[str, Any]) -> str:
    """One sentence on the encoders and ensembles that are configured and do not take part; empty if all do."""
    without = [name for name in config["encoders"] if name not in encoders]
    also = [name for name in config["fusion"]["ensembles"] if ensembles and name not in ensembles]
    parts = [f"encoders {', '.join(without)} (`snakemake check` says why)"] if without else []
    parts += [f"ensembles {', '.join(also)} (a member does not take part)"] if also else []
    return f"Left out: {'; '.join(parts)}." if parts else ""


def write(config: Mapping[str, Any], path: str) -> None:
    """Writes the resolved configuration as YAML, which JSON is a part of."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps(config, indent=1) + "\n")


def member(item: str, config: Mapping[str, Any]) -> tuple[str, str]:
    """`encoder` or `encoder/head` as (encoder, head); an encoder that yields probabilities itself has the head `own`."""
    encoder, _, head = item.partition("/")
    return encoder, head or (OWN_HEAD if yields_probabilities(config, encoder) else config["classify"]["default_head"])


def yields_probabilities(config: Mapping[str, Any], encoder: str) -> bool:
    """Whether an encoder is one of the kinds that have no feature store and take no head."""
    return encoder in config["features"] and config["features"][encoder]["kind"] in OWN


def _schema_problems(value: Any, schema: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for error in validator(schema).iter_errors(value):
        place = prefix + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in error.absolute_path)
        yield from _wording(error, place.lstrip("."))


def _wording(error: Any, place: str) -> Iterator[str]:
    dot = f"{place}." if place else ""
    if error.validator == "additionalProperties":
        known = error.schema["properties"]
        yield from (f"unknown setting {dot}{name}: {did_you_mean(str(name), known)}" for name in error.instance if name not in known)
    elif error.validator == "required":
        name = error.message.split("'")[1]
        yield f"the setting {dot}{name} is missing; it must be {expectation(error.schema['properties'][name])}."
    else:
        shown = f"{error.instance!r} (YAML reads this as text; write 1.0e-4, not 1e-4)" if _text_for_number(error) else _shown(error.instance)
        yield f"{place or 'the configuration'} is {shown}; it must be {expectation(error.schema)}."


def _text_for_number(error: Any) -> bool:
    return isinstance(error.instance, str) and bool(re.fullmatch(r"[-+]?\d+(\.\d+)?e[-+]?\d+", error.instance, re.IGNORECASE))


def _shown(value: Any) -> str:
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)


def _kind_problems(config: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for block, what in KINDS:
        kinds = kind_schemas(schema, what)
        for name, instance in _instances(config, block).items():
            kind = instance.get("kind")
            if isinstance(kind, str) and kind in kinds:
                yield from _schema_problems(instance, kinds[kind], f"{block}.{name}")
            else:
                yield f"{block}.{name}.kind is {_shown(kind)}; {did_you_mean(str(kind), kinds)}"


def kind_schemas(schema: Mapping[str, Any], what: str) -> dict[str, Mapping[str, Any]]:
    """Kind -> what settings it takes; kinds of the same settings share an entry of `$defs`.

    Args:
        what: `encoder` or `head`.
    """
    entries = [entry for name, entry in schema["$defs"].items() if name.startswith(f"{what}_")]
    return {kind: entry for entry in entries for kind in kinds_of(entry)}


def kinds_of(entry: Mapping[str, Any]) -> list[str]:
    """The kinds that share an entry of `$defs`."""
    kind = entry["properties"]["kind"]
    return kind.get("enum") or [kind["const"]]


def _instances(config: Mapping[str, Any], block: str) -> Mapping[str, Any]:
    for key in block.split("."):
        config = config[key]
    return config


def _name_problems(config: Mapping[str, Any]) -> Iterator[str]:
    for block in ("features", "concatenations", "classify.heads", "fusion.ensembles"):
        for name in _instances(config, block):
            if not NAME.fullmatch(str(name)):
                yield f"{block}.{name} is no name; use small letters, digits and '_', the first a letter."
    for block in ("features", "concatenations"):
        for name in sorted(config[block].keys() & (TARGETS | RULES)):
            yield f"{block}.{name} has the name of a rule or target of the workflow; rename the encoder."
    if OWN_HEAD in config["classify"]["heads"]:
        yield f"classify.heads.{OWN_HEAD} has the name kept for encoders that yield probabilities themselves; rename the head."
    for name in config["fusion"]["ensembles"]:
        if name in encoders_of(config):
            yield f"fusion.ensembles.{name} has the name of an encoder, which is scored alone under it; rename the ensemble."


def _encoder_problems(config: Mapping[str, Any]) -> Iterator[str]:
    features = config["features"]
    for name in config["encoders"]:
        if name not in encoders_of(config):
            yield f"encoders names {name}, which is not in features: {did_you_mean(name, encoders_of(config))}"
    yield from _concatenation_problems(config)
    for name, encoder in features.items():
        if encoder["kind"] in SPEECH and encoder["layers"][0] > encoder["layers"][1]:
            yield f"features.{name}.layers is {encoder['layers']}; the first must not be above the last."
        if encoder["kind"] in SPEECH and encoder["layers"][1] < 1:
            yield f"features.{name}.layers is {encoder['layers']}; the last must be at least 1, the output of the first layer."
        if encoder["kind"] == "prosody" and encoder["f0_min_hz"] >= encoder["f0_max_hz"]:
            yield f"features.{name}.f0_min_hz is {encoder['f0_min_hz']}; it must be below f0_max_hz, {encoder['f0_max_hz']}."
        if encoder["kind"] == "external":
            yield from programs.problems(name, encoder)
        if encoder["kind"] in FINE_TUNED:
            yield from _fine_tuning_problems(name, encoder)
        if encoder["kind"] == "gemini":
            yield from _gemini_problems(name, encoder, config["media"]["clips"])
    yield from _media_problems(config)


def _media_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """What the encoders that take part need of the media stage and do not get; smaller pictures than they look at are enlarged."""
    media, features = config["media"], config["features"]
    takes_part = {name: features[name] for name in parts_of(config, config["encoders"]) if name in features}
    rate_hz = media["audio"]["sample_rate_hz"]
    hearing = [name for name, encoder in takes_part.items() if encoder["kind"] in (*SPEECH, "wav2vec2_finetuned")]
    if hearing and rate_hz != SPEECH_RATE_HZ:
        yield f"media.audio.sample_rate_hz is {rate_hz}; it must be {SPEECH_RATE_HZ} for {hearing[0]}, which takes part."
    for name, encoder in takes_part.items():
        kept = PICTURES_BY[encoder["frames"]] if encoder.get("fps") else ""
        if kept and encoder["fps"] > media[kept]["fps"]:
            yield f"features.{name}.fps is {encoder['fps']:g}; it must not be above media.{kept}.fps, {media[kept]['fps']:g}, or be null, which takes all."


def _concatenation_problems(config: Mapping[str, Any]) -> Iterator[str]:
    features = config["features"]
    for name, parts in config["concatenations"].items():
        if name in features:
            yield f"concatenations.{name} has the name of an encoder in features; rename one of them."
        for part in parts:
            if part in config["concatenations"]:
                yield f"concatenations.{name} names {part}, a concatenation itself; name what that joins."
            elif part not in features:
                yield f"concatenations.{name} names {part}, which is not in features: {did_you_mean(part, features)}"
            elif yields_probabilities(config, part):
                yield f"concatenations.{name} names {part}, which yields probabilities itself; only features can be joined."


def _fine_tuning_problems(name: str, encoder: Mapping[str, Any]) -> Iterator[str]:
    blocks = [block for block in ("training", "augment", "mixing") if block in encoder and "recipe" not in encoder]
    for block in blocks:
        missing = [setting for setting, value in encoder[block].items() if value is None and setting not in MAY_BE_NONE]
        yield from (f"features.{name}.{block}.{setting} is null; only a recipe sets it, so give a value." for setting in missing)
    views = encoder.get("views")
    if views and views["spatial"] == "mirrored" and views["crops"] > 2:
        yield f"features.{name}.views.crops is {views['crops']}; with mirrored it must be 1 or 2."
    training = resolve(encoder)["training"]
    if training["epochs"] and training["warmup_epochs"] and training["warmup_epochs"] >= training["epochs"]:
        yield f"features.{name}.training.warmup_epochs is {training['warmup_epochs']}; it must be below epochs, {training['epochs']}."
    if encoder["kind"] == "s4d":
        try:
            Sizes(frames=encoder["n_frames"], **encoder["sizes"]).check_frozen(encoder["frozen_blocks"])
        except BadInput as error:
            yield f"features.{name}: {error}"


def _gemini_problems(name: str, encoder: Mapping[str, Any], cut: Mapping[str, Any]) -> Iterator[str]:
    sent_s = cut["seconds"] * encoder["frames_per_second"]
    if sent_s > MOST_FRAMES:
        yield (
            f"features.{name}.frames_per_second is {encoder['frames_per_second']:g} and media.clips.seconds {cut['seconds']:g}, which are {sent_s:g} frames; "
            f"the service looks at {MOST_FRAMES} at most."
        )
    if encoder["frames_per_second"] > cut["fps"]:
        yield f"features.{name}.frames_per_second is {encoder['frames_per_second']:g}; it must not be above media.clips.fps, {cut['fps']}."


def _curve_problems(config: Mapping[str, Any]) -> Iterator[str]:
    curve, features = config["layer_curve"], config["features"]
    if features.get(curve["encoder"], {}).get("kind") not in SPEECH:
        known = [name for name, encoder in features.items() if encoder["kind"] in SPEECH]
        yield f"layer_curve.encoder is {curve['encoder']!r}, which is no encoder of kind {', '.join(SPEECH)}: {did_you_mean(curve['encoder'], known)}"
    for first, last in curve["ranges"]:
        if first > last:
            yield f"layer_curve.ranges holds {[first, last]}; the first must not be above the last."
    names = layer_ranges(curve["ranges"])
    if range_name(*curve["reference"]) not in names:
        yield f"layer_curve.reference is {curve['reference']}; it must be one of layer_curve.ranges, or [k, k] with k from 0 to {highest(curve['ranges'])}."
    if highest(curve["ranges"]) < 1:
        yield f"layer_curve.ranges is {curve['ranges']}; one must reach layer 1, the output of the first layer."


def _ensemble_problems(config: Mapping[str, Any]) -> Iterator[str]:
    default, heads = config["classify"]["default_head"], config["classify"]["heads"]
    try:
        steps_of_one(config["fusion"]["weights"]["step"])
    except BadInput as error:
        yield str(error)
    if default not in heads:
        yield f"classify.default_head is {default!r}, which is not in classify.heads: {did_you_mean(default, heads)}"
    for name, head in heads.items():
        if head["kind"] == "mlp" and head["batch_norm"] and head["batch_size"] < 3:
            yield f"classify.heads.{name}.batch_size is {head['batch_size']}; with batch_norm it must be at least 3, since a batch of one clip has no variance."
    for name, listed in config["fusion"]["ensembles"].items():
        members = [] if listed == "all" else [member(item, config) for item in listed]
        for encoder, head in members:
            if encoder not in encoders_of(config):
                yield f"fusion.ensembles.{name} names {encoder}, which is not in features: {did_you_mean(encoder, encoders_of(config))}"
            if yields_probabilities(config, encoder):
                if head != OWN_HEAD:
                    yield f"fusion.ensembles.{name} names the head {head} of {encoder}, which yields probabilities itself; write {encoder} alone."
            elif head not in heads and head != default:
                yield f"fusion.ensembles.{name} names the head {head}, which is not in classify.heads: {did_you_mean(head, heads)}"
        if len(set(members)) < len(members):
            yield f"fusion.ensembles.{name} names a member twice; name each once."


def _published_problems(config: Mapping[str, Any]) -> Iterator[str]:
    method = config["fusion"]["weights"]["method"]
    if method not in PUBLISHED:
        return
    for name, members in active_ensembles(config, config["encoders"]).items():
        if len(members) > 1 and not PUBLISHED[method].keys() & dict(members):
            yield f"fusion.weights.method is {method}, which has no weight for any member of fusion.ensembles.{name}; choose another method or other members."
