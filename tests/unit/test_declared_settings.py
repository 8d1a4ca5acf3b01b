"""Every rule declares the settings that its script reads: none that nothing reads, since it would make results stale for nothing, and none less."""

import shutil

import pytest
from unit.code_reads import Code, declared, of_kinds

from blemore.features.kinds import FINE_TUNED
from blemore.settings import SCRIPTS

RULES = declared(SCRIPTS.parents[1] / "rules")
# The kinds of encoder or head whose settings a rule declares as a whole.
WHOLE = {
    **dict.fromkeys(("train_head", "retrain_head", "train_layers", "predict_head"), ("head", ("mlp", "logistic"))),
    "finetune_s4d": ("encoder", ("s4d",)),
    "finetune_videomae": ("encoder", ("videomae",)),
    "finetune_timesformer": ("encoder", ("timesformer",)),
    "finetune_wav2vec2": ("encoder", ("wav2vec2_finetuned",)),
    "predict_finetuned": ("encoder", FINE_TUNED),
}
# Declared and not looked at by name.
UNREAD = {
    "import_probabilities": {"cfg.files"},  # recorded; their content comes as `files`
    "import_provided": {"cfg.test", "cfg.train"},  # recorded; the files there come as `clips`
    "embed_image": {"cfg.frames"},  # decides which store is the input
    "embed_videoswin": {"cfg.frames"},
    "embed_gemini": {"cut.audio_bitrate", "cut.crf", "cut.fps", "cut.max_height"},  # all of `cut` is a part of the key of a reply
    "export_system": {"cfg.average", *(f"media.{part}" for part in ("audio", "body", "clips", "faces", "track"))},  # copied as they are
    "finetune_s4d": {"recipe.kind"},  # decides the rule
    "finetune_wav2vec2": {"recipe.kind"},
    # What trained an exported system belongs to it, and never changes.
    "predict_head": {f"recipe.{name}" for name in of_kinds("head", ("mlp", "logistic")) - {"batch_norm", "dropout", "hidden", "kind"}},
    "predict_finetuned": {
        *(f"recipe.{name}" for name in ("revision", "clip_grad", "ema", "epochs", "layer_decay", "monitor", "patience", "warmup_epochs", "weight_decay")),
        *(f"recipe.{name}" for name in ("mixing", "cutmix", "mixup")),
    },
}
# Params that only make a result stale: code, the files of a checkpoint or of the report's page, names of videos, the service that is asked.
NO_USE = {"code", "files", "assets", "videos", "endpoint", "predicting"}


def settings_of(rule, params):
    """`param.setting` of all that a rule picks from the configuration, and of a whole encoder or head what its kinds take."""
    for name, param in params.items():
        whole = of_kinds(*WHOLE[rule]) if param.whole else ()
        yield from (f"{name}.{setting}" for setting in param.settings or whole)


def unread(rule, code):
    return {setting for setting in settings_of(rule, RULES[rule][1]) if setting.partition(".")[2] not in code.reads}


def undeclared(rule, code):
    """What is read of a block and not declared; KeyError in any run."""
    known = {*settings_of(rule, RULES[rule][1])}
    blocks = [name for name in RULES[rule][1] if any(setting.startswith(f"{name}.") for setting in known)]
    return {f"{name}.{setting}" for name in blocks for setting in code.read_of(name)} - known


def test_every_rule_that_computes_is_looked_at():
    assert len(RULES) > 35
    picking = [rule for rule, (_, params) in RULES.items() if [*settings_of(rule, params)]]
    assert len(picking) > 28
    assert {rule for rule, (_, params) in RULES.items() if any(param.whole for param in params.values())} == WHOLE.keys()


@pytest.mark.parametrize("rule", RULES)
def test_what_a_rule_declares_is_what_its_script_reads(rule):
    script, params = RULES[rule]
    code = Code(SCRIPTS, script)
    assert unread(rule, code) == UNREAD.get(rule, set())
    assert undeclared(rule, code) == set()
    assert {*params} - code.attributes <= NO_USE


@pytest.mark.parametrize(
    ("rule", "module", "old", "new", "left", "more"),
    [
        ("embed_image", "embed_image.py", 'cfg["segments"]', "1", {"cfg.segments"}, set()),
        ("embed_image", "embed_image.py", 'cfg["fps"]', 'cfg["rate"]', {"cfg.fps"}, {"cfg.rate"}),
        ("embed_video", "embed_video.py", 'params.cut["fps"]', "10", {"cut.fps"}, set()),
        ("track_faces", "blemore/media/pursuit.py", "settings.person", '"largest"', {"cfg.person"}, set()),
        ("finetune_s4d", "blemore/finetune/pictures.py", "self.erasing", "0.0", {"recipe.erasing"}, set()),
        ("finetune_videomae", "blemore/finetune/optimisation.py", 'training["layer_decay"]', "1.0", {"recipe.layer_decay"}, set()),
        ("retrain_head", "blemore/classify/mlp.py", 'recipe["weight_decay"]', "0", {"recipe.weight_decay"}, set()),
    ],
)
def test_a_script_that_reads_less_or_more_is_found(tmp_path, rule, module, old, new, left, more):
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    changed = tmp_path / "scripts" / module
    assert old in changed.read_text()
    changed.write_text(changed.read_text().replace(old, new))
    code = Code(tmp_path / "scripts", RULES[rule][0])
    assert unread(rule, code) - UNREAD.get(rule, set()) == left
    assert undeclared(rule, code) == more
