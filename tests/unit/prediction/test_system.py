import ast
import json
from importlib.metadata import version

import numpy as np
import pytest
import yaml

from blemore.data.emotions import EMOTIONS
from blemore.features import check
from blemore.fusion.protocols import Fusion
from blemore.fusion.thresholds import Thresholds
from blemore.job import BadInput
from blemore.prediction import system as systems
from blemore.prediction.export import copy_preprocessing, write_system
from blemore.prediction.new_clips import NewClips
from blemore.prediction.predictions import fuse_members, records, table
from blemore.prediction.system import check_targets, completed, configured, notice, open_system, select, system_of, versions, without_agreement
from blemore.settings import SCRIPTS, json_sha256
from fetch_weights import refuse_others


@pytest.fixture
def config(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "a.mov").touch()
    return yaml.safe_load((repository / "config.yaml").read_text())


def export(folder, config, *names, **changes):
    """A system of the named encoders, with one file."""
    (folder / "heads").mkdir(parents=True)
    (folder / "heads" / "one.safetensors").write_bytes(b"weights")
    stored = {"media": config["media"], "features": {name: config["features"][name] for name in names}, "concatenations": {}, "heads": {}}
    chosen = {"weights": [1 / len(names)] * len(names), "alpha": 0.1, "beta": 0.1, "average": "probabilities"}
    content = {"ensemble": "all", "members": [[name, "mlp_1024"] for name in names], "models": ["fold0"], "chosen": chosen, "settings": stored, "weights": {}}
    write_system(folder, content | versions() | changes)
    return open_system(folder)


def test_an_exported_system_is_read_as_it_was_written(config, tmp_path):
    system = export(tmp_path / "system", config, "prosody")
    assert system.members == [("prosody", "mlp_1024")]
    system.check("")
    assert notice(system) == ""


def refusal(call, *arguments, **more) -> str:
    with pytest.raises(BadInput) as refused:
        call(*arguments, **more)
    return str(refused.value)


def test_every_damage_is_one_sentence(config, tmp_path):
    folder = tmp_path / "system"
    path, head = folder / "system.json", folder / "heads" / "one.safetensors"
    absent = f"{path} is not there; name a folder that `snakemake system` has made, results/system/all for example, in predict.system."
    assert refusal(open_system, folder) == absent
    system = export(folder, config, "prosody")
    head.write_bytes(b"Weights")
    system.check("finetune/")
    assert refusal(system.check, "heads/") == f"{head} is not the file that system.json names; copy the exported system again, whole."
    head.unlink()
    assert refusal(system.check, "heads/") == f"{head} is not there, but system.json names; copy the exported system again, whole."
    text = path.read_text()
    for damaged in (text.replace('"alpha": 0.1', '"alpha": 0.2'), text[:-20], "[]", "{}"):
        path.write_text(damaged)
        assert refusal(open_system, folder) == f"{path} is damaged; copy the exported system again, whole."


def test_a_system_of_another_version_is_refused(config, tmp_path):
    path = tmp_path / "system" / "system.json"
    export(path.parent, config, "prosody")
    content = json.loads(path.read_text()) | {"schema_version": 99}
    content["content_sha256"] = json_sha256({name: value for name, value in content.items() if name != "content_sha256"})
    path.write_text(json.dumps(content))
    assert refusal(open_system, path.parent) == f"{path} is of version 99, and this code reads version {systems.SCHEMA_VERSION}; export it by this code again."


def test_other_code_or_packages_are_said_once(config, tmp_path):
    code = versions()["code"] | {"track_faces.py": "another"}
    said = notice(export(tmp_path / "system", config, "prosody", code=code, packages={"numpy": "1.0"}))
    start = f"{tmp_path}/system was exported by other code or packages, so numbers may differ a little: track_faces.py, numpy 1.0 -> {version('numpy')}."
    assert said == start


def test_consent_alone_is_enough_for_an_encoder_that_only_the_system_knows(config, tmp_path):
    config["features"]["mine"] = config["features"]["gemini"]
    system = export(tmp_path / "system", config, "mine")
    found = completed({"mine": {"confirm_upload": True}, "other": {"confirm_upload": True}}, system)
    assert found == {"mine": config["features"]["gemini"] | {"confirm_upload": True}, "other": {"confirm_upload": True}}
    assert completed(5, system) == 5


def test_neither_consent_nor_a_program_is_taken_from_a_system(config, tmp_path):
    """As where its encoders are called otherwise than those of config.yaml, and something harmless of them is set."""
    config["features"]["paid"] = config["features"]["gemini"] | {"confirm_upload": True}
    config["features"]["theirs"] = config["features"]["hicmae_own"] | {"command": "run {inputs} {outputs}", "function": None, "files": ["w"]}
    system = export(tmp_path / "system", config, "paid", "theirs")
    for harmless in ({"paid": {}, "theirs": {}}, {"paid": {"concurrency": 2}, "theirs": {"timeout_s": 600.0}}):
        config["features"] = completed(harmless, system)
        found = configured(config, system)["features"]
        assert found["paid"]["confirm_upload"] is False
        assert (found["theirs"]["command"], found["theirs"]["function"], found["theirs"]["files"]) == (None, None, [])


def test_what_the_exporter_agreed_to_and_runs_is_not_written_into_a_system(config):
    features = {name: config["features"][name] for name in ("gemini", "hicmae_own", "prosody")}
    features["gemini"] |= {"confirm_upload": True}
    written = without_agreement(features)
    assert written["gemini"] == features["gemini"] | {"confirm_upload": False}
    assert written["hicmae_own"] == features["hicmae_own"] | {"command": None, "files": [], "function": None}
    assert written["prosody"] == features["prosody"]


@pytest.mark.parametrize("model", ["../../../elsewhere/notes", "fold", "fold0/../x", "", "fold0\n"])
def test_no_model_of_a_system_is_written_elsewhere(config, tmp_path, model):
    path = tmp_path / "system" / "system.json"
    said = f"{path} names the model {model!r}, which is neither fold0 and so on nor retrained; take a system that `snakemake system` made."
    assert refusal(export, path.parent, config, "prosody", models=["fold0", model]) == said


def test_what_names_no_system_is_left_to_the_check_of_the_configuration(config, tmp_path):
    export(tmp_path / "system", config, "prosody")
    for block in (5, None, [], {}, {"system": None}, {"system": 5}, {"system": ["x"]}):
        assert system_of({"predict": block}) is None
    assert system_of({"predict": {"system": str(tmp_path / "system")}}).encoders == ["prosody"]


def test_the_system_decides_numbers_and_the_user_places_and_consent(config, tmp_path):
    system = export(tmp_path / "system", config, "prosody", "wav2vec2", "gemini", "imagebind")
    mine = json.loads(json.dumps(config))
    mine["media"]["track"]["fps"] = 7
    mine["features"]["wav2vec2"]["layers"] = [1, 2]
    mine["features"]["gemini"] |= {"confirm_upload": True, "dimension": 128}
    mine["predict"]["places"] = {"wav2vec2": "here", "imagebind": "arrays"}
    found = configured(mine, system)
    assert found["media"] == config["media"]
    assert found["features"]["wav2vec2"] == config["features"]["wav2vec2"] | {"model": "here"}
    assert found["features"]["gemini"] == config["features"]["gemini"] | {"confirm_upload": True}
    assert found["features"]["imagebind"]["test"] == "arrays"
    mine["predict"]["places"] = {"wav2vec": "here"}
    with pytest.raises(BadInput, match=r"predict.places names wav2vec, no encoder of .* whose weights or arrays lie elsewhere: did you mean wav2vec2\?"):
        configured(mine, system)


@pytest.mark.parametrize("name", ["prosody", "gemini", "s4d"])
def test_a_place_of_what_has_none_is_refused(config, tmp_path, name):
    system = export(tmp_path / "system", config, "wav2vec2", name)
    config["predict"]["places"] = {name: "here"}
    with pytest.raises(BadInput, match=rf"predict.places names {name}, no encoder of .* whose weights or arrays lie elsewhere: "):
        configured(config, system)


def test_encoders_that_lack_something_stop_the_run_or_are_left_out(config, tmp_path):
    system = export(tmp_path / "system", config, "prosody", "wav2vec2", "imagebind", "hicmae_own")
    del config["features"]["hicmae_own"]
    merged = config | configured(config, system)
    catalogue = NewClips(merged["data"], ["a.mov"])
    sentence = (
        r"^3 of 4 encoders of .* cannot run; provide what they lack \(predict\.places says where the weights of an encoder, or the given arrays of the "
        r"new clips, lie on this machine\), or set predict\.missing_encoders to skip:\n"
    )
    with pytest.raises(BadInput, match=sentence) as error:
        select(merged, system, catalogue)
    lines = str(error.value).splitlines()
    assert lines[1].startswith("  - wav2vec2: weights missing: ")
    assert lines[2:] == [
        "  - imagebind: folder missing: the arrays of the new clips were given for imagebind; name their place in predict.places",
        "  - hicmae_own: program missing: the system does not bring the program of hicmae_own; configure it in features",
    ]
    foreign = systems.state("mine", {"concatenations": {}, "features": {"mine": {"kind": "probabilities"}}}, None)
    assert foreign.detail == "its predictions came from elsewhere, so the system has no model of it"
    assert select(merged | {"missing_encoders": "skip"}, system, catalogue) == ["prosody"]


def test_the_check_of_new_clips_counts_them(config):
    catalogue = NewClips(config["data"], ["a.mov"])
    assert list(check._data_lines(catalogue, "", [], {"data": {}, "predict": {"system": "x"}})) == ["new clips   1, 1 shards; nothing is trained"]


def test_a_system_says_no_program_that_runs_here(config, tmp_path):
    system = export(tmp_path / "system", config, "hicmae_own")
    config["features"]["hicmae_own"] |= {"function": "mine.py:embed"}
    assert configured(config, system)["features"]["hicmae_own"]["function"] == "mine.py:embed"


def test_targets_are_refused_where_they_cannot_be_made():
    without = "predict needs a trained system: name a folder that `snakemake system` has made in predict.system, and the videos in predict.videos."
    assert refusal(check_targets, ["--cores", "1", "predict"], predicts=False) == without
    trains = "predict.system is set, and report trains; ask for predict, media, features or check, or set it to null."
    assert refusal(check_targets, ["report"], predicts=True) == trains
    check_targets(["--directory", "predict", "all"], predicts=False)
    check_targets(["predict", "media", "--directory", "all"], predicts=True)


def test_weights_must_be_those_of_the_training():
    refuse_others("w", {"config.json": "a"}, None)
    refuse_others("w", {"config.json": "a"}, {"config.json": "a"})
    with pytest.raises(
        BadInput, match=r"^w does not hold the weights that the system was trained with \(model\.safetensors differ\); name theirs in predict\.places\.$"
    ):
        refuse_others("w", {"config.json": "a", "model.safetensors": "b"}, {"config.json": "a", "model.safetensors": "c"})


def test_a_checkpoint_that_is_gone_is_missed_when_its_preprocessing_is_copied(config, tmp_path):
    (tmp_path / "finetune/videomae/fold0/seed1").mkdir(parents=True)
    said = refusal(copy_preprocessing, tmp_path, {"videomae": config["features"]["videomae"] | {"model": "org/tiny", "revision": "main"}}, "weights")
    assert said == (
        "weights/org--tiny--main/preprocessor_config.json is not there, and a system needs it to prepare its pictures; put the checkpoint back and run again."
    )


def test_what_is_there_is_fused_and_what_is_not_is_no_guess():
    p = np.full((3, 3, 6), np.nan)
    p[0, 0], p[1, 0], p[1, 1] = np.eye(6)[0], np.eye(6)[1], np.eye(6)[5]
    fusion = Fusion(np.array([0.5, 0.3, 0.2]), Thresholds(0.1, 0.1, 0, 0, 0))
    outcome = fuse_members(p, ["a", "b", "c"], fusion)
    assert outcome.fused[0, :2].tolist() == pytest.approx([0.625, 0.375])
    assert outcome.decision.tolist() == [[70, 30, 0, 0, 0, 0], [0, 0, 0, 0, 0, 100], [0] * 6]
    assert outcome.used == [["a", "b"], ["b"], []]
    assert outcome.confidence[:2].tolist() == [1, 1]
    files = {"x": "x.mov", "y": "y.mov", "z": "z.mov"}
    status = {name: dict.fromkeys(files, "ok") for name in "abc"}
    rows, said = table(files, outcome, status), records(files, outcome, status)
    assert rows["decision"].tolist() == [f"{EMOTIONS[0]} 70 {EMOTIONS[1]} 30", f"{EMOTIONS[5]} 100", ""]
    assert said[0]["decision"] == {EMOTIONS[0]: 70, EMOTIONS[1]: 30}
    assert (said[2]["probability"], said[2]["decision"], said[2]["confidence"]) == (None, None, None)


def test_the_code_of_a_prediction_is_all_that_its_rules_run(repository):
    text = (repository / "rules" / "predict.smk").read_text() + (repository / "rules" / "media.smk").read_text()
    for script in (path.name for path in (repository / "workflow" / "scripts").glob("*.py") if f'fingerprint("{path.name}"' in text):
        assert script in systems.SCRIPTS


def test_the_packages_compared_are_all_that_the_scripts_name_in_their_stores():
    named = set()
    for path in [SCRIPTS / script for script in systems.SCRIPTS] + [SCRIPTS / "blemore/finetune/job.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "provenance" and isinstance(node.args[2], ast.Tuple):
                named |= set(ast.literal_eval(node.args[2]))
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PACKAGES":
                named |= set(ast.literal_eval(node.value))
    assert named == set(systems.PACKAGES)
