"""Every sentence of the code of the configuration, word for word."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest
from unit.test_configuration import changed, refusal

from blemore import configuration, problems
from blemore.configuration import kind_schemas, validate, validate_types
from blemore.job import BadInput
from blemore.problems import load_schema

SIZES = {"image_size": 160, "patch": 16, "tubelet": 2, "width": 768, "depth": 12, "heads": 12, "mlp_ratio": 4, "experts": 8, "top_k": 2, "bottleneck": 192}
EXTERNAL = {"kind": "external", "command": None, "function": "a.py:embed", "inputs": ["audio"], "files": [], "width": 8, "timeout_s": 9.0}

CASES = [
    ("media.track.fsp", 30, "unknown setting media.track.fsp: did you mean fps?"),
    ("encodres", [], "unknown setting encodres: did you mean encoders?"),
    ("media.faces.colour", 1, "unknown setting media.faces.colour: known are margin, quality, size."),
    ("features.wav2vec2.layer", [1, 2], "unknown setting features.wav2vec2.layer: did you mean layers?"),
    ("features.prosody.model", "x", "unknown setting features.prosody.model: known are f0_max_hz, f0_min_hz, hop_s, kind, segments."),
    ("classify.heads.logistic.hidden", [], "unknown setting classify.heads.logistic.hidden: known are inverse_regularization, kind, max_iterations."),
    ("media.track.fps", "30", "media.track.fps is '30'; it must be a number above 0 and at most 240."),
    ("media.track.fps", 0, "media.track.fps is 0; it must be a number above 0 and at most 240."),
    ("media.track.fps", True, "media.track.fps is true; it must be a number above 0 and at most 240."),
    ("media.track.stride", 1.0, "media.track.stride is 1.0; it must be a whole number from 1 to 30."),
    ("media.track.detect_height", 10, "media.track.detect_height is 10; it must be a whole number of at least 64, or null."),
    ("media.track.thresholds", [0.6, 0.7], "media.track.thresholds is [0.6, 0.7]; it must be a list of 3 (each a number from 0 to 1)."),
    ("media.track.thresholds", [0.6, 0.7, 7], "media.track.thresholds[2] is 7; it must be a number from 0 to 1."),
    ("media.faces.margin", 1, "media.faces.margin is 1; it must be a number of at least 0 and below 1."),
    ("media", None, "media is null; it must be a block."),
    ("encoders", "prosody", "encoders is 'prosody'; it must be a list of at least 1, each once (each text)."),
    ("encoders", [], "encoders is []; it must be a list of at least 1, each once (each text)."),
    ("encoders", ["prosody", "prosody"], "encoders is ['prosody', 'prosody']; it must be a list of at least 1, each once (each text)."),
    ("missing_encoders", "ignore", "missing_encoders is 'ignore'; it must be one of error, skip."),
    ("data.max_failed_fraction", float("nan"), "data.max_failed_fraction is nan; it must be a number from 0 to 1."),
    ("data.train_only", [{"sheet": "a.csv", "videos": "a"}], "data.train_only[0].videos is 'a'; it must be a list (each text that is not empty)."),
    ("data.test_sheet", "", "data.test_sheet is ''; it must be text that is not empty, or null."),
    ("classify.heads.mlp_1024.batch_norm", "no", "classify.heads.mlp_1024.batch_norm is 'no'; it must be true or false."),
    (
        "classify.heads.mlp_512.learning_rate",
        "1e-4",
        "classify.heads.mlp_512.learning_rate is '1e-4' (YAML reads this as text; write 1.0e-4, not 1e-4); it must be a number above 0 and at most 1.",
    ),
    ("features.wav2vec2.layers", [6], "features.wav2vec2.layers is [6]; it must be a list of 2 (each a whole number of at least 0)."),
    ("features.wav2vec2.layers", [12, 6], "features.wav2vec2.layers is [12, 6]; the first must not be above the last."),
    ("features.prosody.f0_min_hz", 1500.0, "features.prosody.f0_min_hz is 1500.0; it must be below f0_max_hz, 1000.0."),
    ("features.wav2vec2.kind", "wav2vec", "features.wav2vec2.kind is 'wav2vec'; did you mean wav2vec2?"),
    ("features.own", {"kind": ["prosody"]}, "features.own.kind is ['prosody']; did you mean prosody?"),
    (
        "features.own",
        {},
        "features.own.kind is null; known are clip, dinov2, dinov3, "
        "external, gemini, hubert, pe_av, probabilities, prosody, provided, s4d, siglip2, "
        "timesformer, videomae, videoswin, wav2vec2, wav2vec2_finetuned, wavlm, xclip.",
    ),
    ("features.own", None, "features.own is null; it must be a block."),
    ("classify.heads.mlp_512.kind", "svm", "classify.heads.mlp_512.kind is 'svm'; known are logistic, mlp."),
    ("encoders", ["wav2vec"], "encoders names wav2vec, which is not in features: did you mean wav2vec2?"),
    ("media.audio.sample_rate_hz", 22050, "media.audio.sample_rate_hz is 22050; it must be 16000 for wav2vec2, which takes part."),
    ("classify.default_head", "mlp", "classify.default_head is 'mlp', which is not in classify.heads: did you mean mlp_512?"),
    (
        "layer_curve.encoder",
        "prosody",
        "layer_curve.encoder is 'prosody', which is no encoder of kind wav2vec2, wavlm, hubert: known are hubert_own, wav2vec2, wavlm_own.",
    ),
    ("layer_curve.ranges", [[6, 12], [5, 0]], "layer_curve.ranges holds [5, 0]; the first must not be above the last."),
    (
        "layer_curve.reference",
        [6, 11],
        "layer_curve.reference is [6, 11]; it must be one of layer_curve.ranges, or [k, k] with k from 0 to 24.",
    ),
    (
        "layer_curve.reference",
        [12, 6],
        "layer_curve.reference is [12, 6]; it must be one of layer_curve.ranges, or [k, k] with k from 0 to 24.",
    ),
    (
        "fusion.ensembles.two",
        ["hubert", "imagebin"],
        "fusion.ensembles.two names imagebin, which is not in features: did you mean imagebind or imagebind_wavlm?",
    ),
    (
        "fusion.ensembles.two",
        ["hubert/mlp_51"],
        "fusion.ensembles.two names the head mlp_51, which is not in classify.heads: did you mean mlp_512 or mlp_1024?",
    ),
    ("fusion.ensembles.two", ["hubert", "hubert/mlp_1024"], "fusion.ensembles.two names a member twice; name each once."),
    (
        "fusion.ensembles.two",
        ["hubert", "s4d/mlp_512"],
        "fusion.ensembles.two names the head mlp_512 of s4d, which yields probabilities itself; write s4d alone.",
    ),
    ("features.videomae.training.epochs", None, "features.videomae.training.epochs is null; only a recipe sets it, so give a value."),
    ("features.s4d.views", {"segments": 1, "crops": 3, "spatial": "mirrored"}, "features.s4d.views.crops is 3; with mirrored it must be 1 or 2."),
    (
        "features.s4d.augment.randaugment",
        "strong",
        "features.s4d.augment.randaugment is 'strong'; it must be text that matches ^(|m\\d+-n\\d+(-mstd\\d+(\\.\\d+)?)?)$, or null.",
    ),
    ("fusion.ensembles.two", "every", "fusion.ensembles.two is 'every'; it must be all, or a list of at least 1 (each text)."),
    ("fusion.ensembles.hubert", ["hicmae"], "fusion.ensembles.hubert has the name of an encoder, which is scored alone under it; rename the ensemble."),
    ("fusion.ensembles.Two", ["hubert"], "fusion.ensembles.Two is no name; use small letters, digits and '_', the first a letter."),
    ("fusion.ensembles.2nd", ["hubert"], "fusion.ensembles.2nd is no name; use small letters, digits and '_', the first a letter."),
    # concatenations
    ("concatenations.two", ["imagebind", "prosdy"], "concatenations.two names prosdy, which is not in features: did you mean prosody?"),
    ("concatenations.two", ["imagebind_wavlm", "hubert"], "concatenations.two names imagebind_wavlm, a concatenation itself; name what that joins."),
    ("concatenations.two", ["imagebind"], "concatenations.two is ['imagebind']; it must be a list of at least 2, each once (each text)."),
    (
        "concatenations.two",
        ["imagebind", "imagebind"],
        "concatenations.two is ['imagebind', 'imagebind']; it must be a list of at least 2, each once (each text).",
    ),
    ("concatenations.hicmae", ["imagebind", "wavlm"], "concatenations.hicmae has the name of an encoder in features; rename one of them."),
    (
        "concatenations.gather_features",
        ["imagebind", "wavlm"],
        "concatenations.gather_features has the name of a rule or target of the workflow; rename the encoder.",
    ),
    ("concatenations.Two", ["imagebind", "wavlm"], "concatenations.Two is no name; use small letters, digits and '_', the first a letter."),
    ("concatenations.two", ["hubert", "s4d"], "concatenations.two names s4d, which yields probabilities itself; only features can be joined."),
    # what settings say together
    ("features.wav2vec2.layers", [0, 0], "features.wav2vec2.layers is [0, 0]; the last must be at least 1, the output of the first layer."),
    (
        "layer_curve",
        {"encoder": "wav2vec2", "ranges": [[0, 0]], "reference": [0, 0]},
        "layer_curve.ranges is [[0, 0]]; one must reach layer 1, the output of the first layer.",
    ),
    (
        "classify.heads.mlp_1024.batch_size",
        2,
        "classify.heads.mlp_1024.batch_size is 2; with batch_norm it must be at least 3, since a batch of one clip has no variance.",
    ),
    (
        "classify.heads.own",
        {"kind": "logistic", "inverse_regularization": 1.0, "max_iterations": 9},
        "classify.heads.own has the name kept for encoders that yield probabilities themselves; rename the head.",
    ),
    ("fusion.weights.step", 0.3, "fusion.weights.step is 0.3; 1 must be a multiple of it, as of 0.1 or 0.05."),
    (
        "features.gemini.frames_per_second",
        20.0,
        "features.gemini.frames_per_second is 20 and media.clips.seconds 2, which are 40 frames; the service looks at 32 at most.",
    ),
    ("media.clips.fps", 0.5, "media.clips.fps is 0.5; it must be a whole number from 1 to 240."),
    ("features.videomae.training.warmup_epochs", 30, "features.videomae.training.warmup_epochs is 30; it must be below epochs, 30."),
    ("features.s4d.training.warmup_epochs", 100, "features.s4d.training.warmup_epochs is 100; it must be below epochs, 100."),
    ("features.s4d.n_frames", 15, "features.s4d: frames is 15; it must be a multiple of tubelet, 2."),
    ("features.s4d.frozen_blocks", 7, "features.s4d: frozen_blocks is 7; it must be from 0 to 6, the first block with experts, which are not pretrained."),
    ("features.s4d.sizes", {**SIZES, "first_moe_block": 12}, "features.s4d: first_moe_block is 12; it must be from 0 to depth - 1, 11."),
    ("features.s4d.sizes", {**SIZES, "first_moe_block": 6, "top_k": 9}, "features.s4d: top_k is 9; it must be from 1 to experts, 8."),
    # programs
    (
        "features.own_program",
        {**EXTERNAL, "command": "x {inputs} {outputs}"},
        "features.own_program needs either a command or a function; set the other one to null.",
    ),
    ("features.own_program", {**EXTERNAL, "function": None}, "features.own_program needs either a command or a function; set the other one to null."),
    (
        "features.own_program",
        {**EXTERNAL, "function": None, "command": "x 'y"},
        "features.own_program.command cannot be split into words (No closing quotation); close its quotes.",
    ),
    (
        "features.own_program",
        {**EXTERNAL, "function": None, "command": "x"},
        "features.own_program.command does not hold {inputs} and {outputs}; add what stands for the folders that it reads and writes.",
    ),
]

TOGETHER = [
    (
        {"media.clips.fps": 4, "features.gemini.frames_per_second": 8.0},
        "features.gemini.frames_per_second is 8; it must not be above media.clips.fps, 4.",
    ),
    (
        {"encoders": ["prosody", "both"], "concatenations.both": ["prosody", "wav2vec2"], "media.audio.sample_rate_hz": 22050},
        "media.audio.sample_rate_hz is 22050; it must be 16000 for wav2vec2, which takes part.",
    ),
    (
        {"encoders": ["clip_own"], "features.clip_own.fps": 12.5},
        "features.clip_own.fps is 12.5; it must not be above media.body.fps, 10, or be null, which takes all.",
    ),
    (
        {"encoders": ["two", "prosody"], "concatenations.two": ["prosody", "videoswin_own"], "features.videoswin_own.frames": "faces", "media.track.fps": 5},
        "features.videoswin_own.fps is 10; it must not be above media.track.fps, 5, or be null, which takes all.",
    ),
    (
        {"encoders": ["prosody", "openface3"], "fusion.weights.method": "paper_9"},
        "fusion.weights.method is paper_9, which has no weight for any member of fusion.ensembles.all; choose another method or other members.",
    ),
    (
        {"fusion.weights.method": "paper_12", "fusion.ensembles.theirs": ["hubert", "videomaev2/mlp_512"]},
        "fusion.weights.method is paper_12, which has no weight for any member of fusion.ensembles.theirs; choose another method or other members.",
    ),
]
FITTING = [
    {"media.faces.size": 96},  # S4D looks at 160 pixels, for which crops are enlarged, as they are for its views
    {"media.audio.sample_rate_hz": 22050, "encoders": ["prosody"]},
    {"media.body.fps": 5},  # no encoder of single pictures takes part
    {"encoders": ["clip_own"], "features.clip_own.fps": None, "media.body.fps": 5},
    {"encoders": ["clip_own"], "features.clip_own.frames": "faces", "features.clip_own.fps": 30.0},
    {"fusion.weights.method": "paper_9"},  # encoders that are not in the column weigh nothing beside those that are
    {"fusion.weights.method": "paper_9", "fusion.ensembles.theirs": ["hubert"], "encoders": ["s4d", "hubert"]},
]
MISSING = "the setting media.track.fps is missing; it must be a number above 0 and at most 240."


@pytest.mark.parametrize(("path", "value", "sentence"), CASES)
def test_a_wrong_setting_gets_a_sentence(config, path, value, sentence):
    assert refusal(changed(config, path, value)) == sentence


def test_a_missing_setting_is_named_with_what_it_must_be(config):
    del config["media"]["track"]["fps"]
    assert refusal(config) == MISSING


def all_changed(config, changes):
    for path, value in changes.items():
        changed(config, path, value)
    return config


@pytest.mark.parametrize(("changes", "sentence"), TOGETHER)
def test_settings_that_contradict_each_other_get_a_sentence(config, changes, sentence):
    assert refusal(all_changed(config, changes)) == sentence


@pytest.mark.parametrize("changes", FITTING)
def test_settings_that_only_look_contradictory_are_taken(config, changes):
    assert validate(all_changed(config, changes)) is None


def test_a_key_of_the_service_in_the_configuration_is_refused_and_not_repeated(config):
    said = refusal(changed(config, "features.gemini.api_key", "AIzaSy-secret"))
    assert said.startswith("unknown setting features.gemini.api_key: known are ")
    assert "AIzaSy" not in said


def refused(config: dict[str, Any], path: str, value: Any) -> str:
    """What is said of types and names alone, which is fast, where one setting is replaced or added."""
    block, _, name = path.rpartition(".")
    place = config
    for key in block.split(".") if block else []:
        place = place[key]
    before = dict(place)
    place[name] = value
    try:
        with pytest.raises(BadInput) as error:
            validate_types(config)
    finally:
        place.clear()
        place.update(before)
    return str(error.value)


def settings(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Dotted names of all settings outside of the blocks with names of the user's, and what each may be."""
    for name, entry in schema.get("properties", {}).items():
        if not isinstance(entry.get("additionalProperties"), Mapping):
            yield from settings(entry, f"{path}{name}.") if "properties" in entry else [(path + name, entry)]


def of_kinds(default: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The same of one instance of each kind."""
    for block, what in (("features", "encoder"), ("classify.heads", "head")):
        instances = configuration._instances(default, block)
        for kind, schema in kind_schemas(load_schema("config"), what).items():
            name = next(name for name, instance in instances.items() if instance["kind"] == kind)
            yield from ((path, entry) for path, entry in settings(schema, f"{block}.{name}.") if not path.endswith(".kind"))


def test_every_setting_of_a_wrong_type_is_named_with_what_it_must_be(config, monkeypatch):
    monkeypatch.setattr(problems, "SHOWN", 1000)
    for paths in ([*dict(settings(load_schema("config")))], [*dict(of_kinds(config))]):
        wrong = copy.deepcopy(config)
        for path in paths:
            changed(wrong, path, {"not": "this"})
        lines = refusal(wrong).splitlines()[1:]
        assert len(lines) == len(paths) > 60
        for path in paths:
            [said] = [line for line in lines if line.startswith(f"  - {path} is {{'not': 'this'}}; it must be ")]
            assert said.endswith(".")


def test_every_misspelt_setting_is_told_the_nearest(config):
    paths = [path for path, _ in (*settings(load_schema("config")), *of_kinds(config)) if "." in path]
    for path in paths[::5]:
        assert refused(config, f"{path}x", 1).startswith(f"unknown setting {path}x: did you mean "), path


def beyond(entry: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Numbers just outside of what a setting may be, each with the bound that the sentence must name."""
    if "minimum" in entry:
        yield entry["minimum"] - 1, f"from {entry['minimum']} to" if "maximum" in entry else f"at least {entry['minimum']}"
    if "exclusiveMinimum" in entry:
        yield entry["exclusiveMinimum"], f"above {entry['exclusiveMinimum']}"
    if "maximum" in entry:
        yield entry["maximum"] + 1, f" {entry['maximum']}"
    if "exclusiveMaximum" in entry:
        yield entry["exclusiveMaximum"], f"below {entry['exclusiveMaximum']}"


def numeric(found: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """Settings that are numbers, and lists of them with the length that is set: name, what a number may be, length (0: no list)."""
    for path, entry in found:
        inner, length = (entry["items"], entry.get("minItems", 1)) if "array" in entry.get("type", ()) else (entry, 0)
        if {"integer", "number"} & {*([inner["type"]] if isinstance(inner.get("type"), str) else inner.get("type", ()))}:
            yield path, inner, length


def test_every_number_beyond_its_range_is_told_the_range(config, monkeypatch):
    monkeypatch.setattr(problems, "SHOWN", 1000)
    tried = 0
    for block in ([*numeric(settings(load_schema("config")))], [*numeric(of_kinds(config))]):
        assert all({"minimum", "exclusiveMinimum"} & entry.keys() for _, entry, _ in block)
        for turn in range(2):
            cases = {path: [*beyond(entry)][turn] + (length,) for path, entry, length in block if len([*beyond(entry)]) > turn}
            wrong = all_changed(copy.deepcopy(config), {path: [number] * length if length else number for path, (number, _, length) in cases.items()})
            with pytest.raises(BadInput) as error:
                validate_types(wrong)
            said = str(error.value)
            for path, (number, bound, length) in cases.items():
                place = f"{path}[0]" if length else path
                [line] = [line for line in said.splitlines() if line.startswith(f"  - {place} is {number!r}; it must be ")]
                assert bound in line.partition("it must be")[2]
            tried += len(cases)
    assert tried > 130
