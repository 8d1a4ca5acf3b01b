import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from blemore.configuration import RULES, TARGETS, active_ensembles, kind_schemas, left_out, parts_of, validate
from blemore.features.kinds import FINE_TUNED
from blemore.fusion.published_weights import PUBLISHED
from blemore.job import BadInput
from blemore.problems import load_schema
from blemore.report.published import FUSION_LINES, TEST_BASELINES
from blemore.settings import pick

PRESETS = ("audio_only", "no_api", "no_gpu", "paper", "provided_only")


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """As Snakemake lays files over each other: blocks are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        merged[key] = overlaid(merged[key], value) if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping) else value
    return merged


def changed(config: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    *blocks, name = path.split(".")
    place = config
    for block in blocks:
        place = place[block]
    place[name] = value
    return config


def refusal(config: Any) -> str:
    with pytest.raises(BadInput) as refused:
        validate(config)
    return str(refused.value)


def test_the_default_configuration_is_valid(default):
    assert validate(default) is None


def test_every_preset_is_tested(repository):
    assert tuple(sorted(path.stem for path in (repository / "presets").glob("*.yaml"))) == PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_valid_over_the_default_and_say_what_they_are_for(repository, default, name):
    text = (repository / "presets" / f"{name}.yaml").read_text()
    assert text.startswith("# ")
    validate(overlaid(default, yaml.safe_load(text)))


def objects(schema: Any, path: str = "config") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every schema of an object with named settings."""
    if isinstance(schema, Mapping):
        if "properties" in schema and "type" in schema:
            yield path, schema
        for key, value in schema.items():
            yield from objects(value, f"{path}.{key}")


@pytest.mark.parametrize("name", ["config", "sheet"])
def test_every_object_is_closed_and_every_setting_is_required_and_described(name):
    found = dict(objects(load_schema(name)))
    assert found
    for path, schema in found.items():
        assert schema["additionalProperties"] is False, path
        assert sorted(schema["required"]) == sorted(schema["properties"]), path
        assert all(entry["description"].endswith(".") for entry in schema["properties"].values()), path


def leaves(schema: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, entry in schema.get("properties", {}).items():
        yield from leaves(entry, f"{prefix}{name}.") if "properties" in entry else [prefix + name]


def test_the_default_sets_what_the_schema_describes_and_nothing_else(default):
    for path in leaves(load_schema("config")):
        block, _, name = path.rpartition(".")
        assert pick(default, block, [name]) if block else name in default


def test_every_kind_is_used_by_the_default(default):
    for block, what in ((default["features"], "encoder"), (default["classify"]["heads"], "head")):
        assert {instance["kind"] for instance in block.values()} == set(kind_schemas(load_schema("config"), what))


@pytest.mark.parametrize("name", ["wav2vec2/upper", "Wav2vec2", "2nd", "", "a b", "a-b", "ä"])
def test_an_encoder_that_cannot_be_a_file_name_is_refused(config, name):
    config["features"][name] = config["features"]["prosody"]
    assert refusal(config) == f"features.{name} is no name; use small letters, digits and '_', the first a letter."


@pytest.mark.parametrize("name", [*sorted(TARGETS), "fuse", "crop_faces", "train_head"])
def test_an_encoder_named_like_a_target_or_rule_is_refused(config, name):
    config["fusion"]["ensembles"] = {}
    config["features"][name] = config["features"]["prosody"]
    assert refusal(config) == f"features.{name} has the name of a rule or target of the workflow; rename the encoder."


def test_a_second_instance_needs_all_settings_of_its_kind(config):
    config["features"]["wav2vec2_upper"] = {"kind": "wav2vec2", "layers": [13, 24]}
    assert refusal(config).splitlines() == [
        "4 problems in the configuration:",
        "  - the setting features.wav2vec2_upper.model is missing; it must be text that is not empty.",
        "  - the setting features.wav2vec2_upper.revision is missing; it must be text that is not empty.",
        "  - the setting features.wav2vec2_upper.segments is missing; it must be a whole number of at least 1.",
        "  - the setting features.wav2vec2_upper.precision is missing; it must be one of float32, bfloat16.",
    ]


def test_problems_of_all_blocks_come_at_once(config):
    changed(changed(changed(config, "media.track.fps", -1), "runtime.device", "gpu"), "data.bucket", 3)
    assert refusal(config).splitlines() == [
        "3 problems in the configuration:",
        "  - unknown setting data.bucket: did you mean buckets?",
        "  - media.track.fps is -1; it must be a number above 0 and at most 240.",
        "  - runtime.device is 'gpu'; it must be one of auto, cpu, cuda.",
    ]


def test_a_second_instance_of_a_kind_is_valid(config):
    config["features"]["wav2vec2_upper"] = {**config["features"]["wav2vec2"], "layers": [13, 24]}
    config["encoders"].append("wav2vec2_upper")
    assert validate(config) is None


def test_each_encoder_alone_is_an_ensemble_with_the_default_head(config):
    config["fusion"]["ensembles"] = {}
    assert active_ensembles(config, ["hubert", "prosody"]) == {"hubert": [("hubert", "mlp_1024")], "prosody": [("prosody", "mlp_1024")]}


def test_all_is_every_encoder_that_takes_part(config):
    config["fusion"]["ensembles"] = {"everything": "all"}
    assert active_ensembles(config, ["hubert", "prosody"])["everything"] == [("hubert", "mlp_1024"), ("prosody", "mlp_1024")]


def test_members_may_name_their_head(config):
    config["fusion"]["ensembles"] = {"two": ["hubert/official_linear", "prosody"]}
    config["classify"]["default_head"] = "logistic"
    assert active_ensembles(config, ["hubert", "prosody"])["two"] == [("hubert", "official_linear"), ("prosody", "logistic")]


def test_an_ensemble_with_a_member_that_does_not_take_part_is_left_out(config):
    config["fusion"]["ensembles"] = {"two": ["hubert", "wavlm"], "one": ["hubert/mlp_512"]}
    assert sorted(active_ensembles(config, ["hubert", "prosody"])) == ["hubert", "one", "prosody"]


def test_the_default_ensembles(default):
    heads = {name: "own" if default["features"][name]["kind"] in FINE_TUNED else "mlp_1024" for name in default["encoders"]}
    assert active_ensembles(default, default["encoders"]) == {
        **{name: [(name, heads[name])] for name in default["encoders"]},
        "all": [(name, heads[name]) for name in default["encoders"]],
        "wav2vec2_mlp_512": [("wav2vec2", "mlp_512")],
        "s4d_wav2vec2": [("s4d", "own"), ("wav2vec2", "mlp_1024")],
    }
    assert left_out(default, default["encoders"], active_ensembles(default, default["encoders"])) == (
        "Left out: ensembles nine, twelve (a member does not take part)."
    )


@pytest.mark.parametrize(("name", "preset"), [("nine", "paper_9"), ("twelve", "paper_12")])
def test_the_ensembles_of_the_paper_are_what_it_prints_weights_of(default, repository, name, preset):
    encoders = yaml.safe_load((repository / "presets/paper.yaml").read_text())["encoders"]
    assert {encoder for encoder, _ in active_ensembles(default, encoders)[name]} == {*PUBLISHED[preset]}
    assert {line.name for line in FUSION_LINES if line.section != TEST_BASELINES} <= {*default["features"], *default["fusion"]["ensembles"]}


def test_a_concatenation_is_an_encoder_like_any_other(config):
    config["encoders"] += ["imagebind_wavlm"]
    config["fusion"]["ensembles"] = {"two": ["imagebind_wavlm/mlp_512", "prosody"]}
    validate(config)
    assert active_ensembles(config, config["encoders"])["two"] == [("imagebind_wavlm", "mlp_512"), ("prosody", "mlp_1024")]
    assert parts_of(config, ["wavlm", "imagebind_wavlm", "prosody"]) == ["wavlm", "imagebind", "prosody"]


def test_rules_are_named_after_their_scripts(repository):
    rules = re.findall(r"^rule (\w+):", "\n".join(path.read_text() for path in (repository / "rules").glob("*.smk")), re.MULTILINE)
    assert set(rules) <= RULES | TARGETS


def test_what_is_left_out_is_said(config):
    config["encoders"] = [name for name in config["encoders"] if config["features"][name]["kind"] not in FINE_TUNED]
    encoders = ["prosody", "hicmae"]
    assert left_out(config, encoders, active_ensembles(config, encoders)) == (
        "Left out: encoders wav2vec2, wavlm, hubert, imagebind, videomaev2, openface3 (`snakemake check` says why); "
        "ensembles wav2vec2_mlp_512, s4d_wav2vec2, nine, twelve (a member does not take part)."
    )
    config["encoders"] = [*config["features"]]
    assert left_out(config, config["encoders"], active_ensembles(config, config["encoders"])) == ""


def test_an_encoder_that_yields_probabilities_itself_has_the_head_own(config):
    config["features"]["faces"] = {"kind": "s4d"}
    config["fusion"]["ensembles"] = {"two": ["faces", "hubert/logistic"]}
    assert active_ensembles(config, ["faces", "hubert"]) == {
        "faces": [("faces", "own")],
        "hubert": [("hubert", "mlp_1024")],
        "two": [("faces", "own"), ("hubert", "logistic")],
    }


def test_no_two_blocks_are_one_object(default):
    """Snakemake lays an overlay over blocks in place: a block that two encoders share would change for both."""
    blocks = [value for encoder in default["features"].values() for value in encoder.values() if isinstance(value, dict)]
    assert len({id(block) for block in blocks}) == len(blocks)
