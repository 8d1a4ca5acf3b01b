import csv
import json
import re
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import xarray as xr
import yaml
from workflow.conftest import MINI
from workflow.runs import REPOSITORY, Run, rules

from blemore.fusion.submission import validate_submission
from blemore.settings import sha256

pytestmark = pytest.mark.workflow
TRAIN_SHARDS = {"A101", "A102", "A103"}
MEDIA = ("track", "faces", "body", "audio", "clips")


def overlay(**changes):
    """The mini configuration with some blocks changed, recursively."""
    return merged(MINI, changes)


def merged(base, changes):
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    return {key: merged(base.get(key), changes[key]) if key in changes else base[key] for key in {**base, **changes}}


def test_every_stage_leaves_its_store(finished):
    found = finished.digests()
    shards = [*sorted(TRAIN_SHARDS), "bucket_00"]
    expected = {f"results/media/{kind}/{shard}.json" for kind in MEDIA for shard in shards}
    expected |= {f"results/features/shards/wav2vec2/{shard}.json" for shard in shards}
    expected |= {f"results/features/{encoder}.json" for encoder in ("wav2vec2", "imagebind")}
    heads = ("wav2vec2/mlp_1024", "wav2vec2/mlp_512", "imagebind/mlp_1024", "wav2vec2_finetuned/own")
    expected |= {f"results/probabilities/{member}/fold{fold}.json" for member in heads for fold in (0, 1)}
    assert found.keys() == expected


def test_at_most_48_jobs_compute(mini_folder):
    steps = [line for line in (mini_folder / "first.log").read_text().splitlines() if "steps (100%) done" in line]
    assert int(steps[0].split()[0]) - len({"all", "media"}) <= 48


def test_snakemake_plans_when_a_job_has_ended_and_not_by_the_clock(mini):
    audio = [f"results/media/audio/{shard}.json" for shard in [*sorted(TRAIN_SHARDS), "bucket_00"]]
    said = mini.snakemake(*audio, "--verbose", "--forcerun", "extract_audio", cores=1)
    assert said.count("Finished jobid") == len(audio)
    assert said.count("Resources before job selection") <= len(audio) + 1


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in finished.snakemake("all", "media")


def test_every_clip_has_features_and_wav2vec2_statistics_have_seven_times_its_width(finished):
    dataset = xr.open_zarr(finished.folder / "results/features/wav2vec2.zarr")
    width = json.loads((finished.folder.parent / "data/weights/wav2vec2_tiny/config.json").read_text())["hidden_size"]
    assert dataset.sizes == {"clip": 12, "feature": 7 * width}
    assert dataset["status"].values.tolist() == [0] * 12
    assert np.isfinite(dataset["embedding"].values).all()
    assert dataset.attrs["extraction"]["settings"]["layers"] == [6, 12]


def test_the_scored_clips_of_all_folds_are_the_training_clips(finished):
    scored = []
    for fold in (0, 1):
        dataset = xr.open_zarr(finished.folder / f"results/probabilities/wav2vec2/mlp_1024/fold{fold}.zarr")
        scored += dataset["clip"].values[dataset["split"].values == "scored"].tolist()
        assert np.allclose(dataset["probability"].values.sum(1), 1, atol=1e-5)
    with open(finished.folder / "results/data/sheet.csv") as file:
        assert sorted(scored) == sorted(row["filename"] for row in csv.DictReader(file) if row["split"] == "train")


def test_the_submission_has_exactly_the_test_clips(finished):
    keys = ["test_0001.mov", "test_0002.mov", "test_0003.mov"]
    archives = [finished.folder / f"results/submission/all/{protocol}.zip" for protocol in ("pooled", "official_test")]
    for archive in archives:
        with zipfile.ZipFile(archive) as file:
            assert sorted(json.loads(file.read("submission_template.json"))["predictions"]) == keys
        validate_submission(archive, keys)
    with open(finished.folder / "results/submission/submissions.csv") as file:
        listed = {(row["ensemble"], row["protocol"]): row["zip_sha256"] for row in csv.DictReader(file)}
    assert listed.keys() == {(ensemble, protocol) for ensemble in ("all", "wav2vec2_mlp_512") for protocol in ("pooled", "official_test")}
    assert [listed["all", archive.stem] for archive in archives] == [sha256(archive) for archive in archives]


def test_the_report_and_its_tables_are_there(finished):
    report = finished.folder / "results/report"
    assert (report / "index.html").read_text().startswith("<!doctype html>")
    rows = csv.DictReader((report / "scores.csv").read_text().splitlines())
    assert {row["name"] for row in rows} == {"wav2vec2", "imagebind", "wav2vec2_finetuned", "all", "wav2vec2_mlp_512"}
    assert yaml.safe_load((finished.folder / "results/config.yaml").read_text())["media"]["track"]["fps"] == 10


def test_the_lines_of_the_readme_open_a_store(finished, monkeypatch, capsys):
    lines = re.search(r"```python\n(import xarray.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL).group(1)
    monkeypatch.chdir(finished.folder)
    exec(lines.replace("A102_ang_int1_ver1", "A102_disg_int1_ver1"), {})
    assert "'layers': [6, 12]" in capsys.readouterr().out


def test_every_job_recorded_when_and_where(finished):
    record = json.loads((finished.folder / "results/features/wav2vec2.run.json").read_text())
    assert record["rule"] == "gather_features"
    assert record["seconds"] >= 0


def test_a_second_instance_leaves_the_first_ones_content_untouched(mini):
    before = mini.digests()
    upper = MINI["features"]["wav2vec2"] | {"kind": "wav2vec2", "revision": "main", "layers": [13, 14], "segments": 1, "precision": "float32"}
    mini.configure(overlay(encoders=[*MINI["encoders"], "wav2vec2_upper"], features={"wav2vec2_upper": upper}))
    planned = mini.stale()
    touched = {(job.rule, job.wildcards) for job in planned if job.rule in ("embed_wav2vec2", "gather_features", "fetch_weights", "train_head")}
    extraction = {("embed_wav2vec2", f"encoder=wav2vec2_upper, shard={shard}") for shard in (*TRAIN_SHARDS, "bucket_00")}
    heads = {("train_head", f"encoder=wav2vec2_upper, head=mlp_1024, fold={fold}") for fold in (0, 1)}
    assert touched == extraction | heads | {("gather_features", "encoder=wav2vec2_upper"), ("fetch_weights", "encoder=wav2vec2_upper")}
    mini.snakemake()
    after = mini.digests()
    assert {name: after[name] for name in before} == before
    assert after["results/features/wav2vec2_upper.json"] != after["results/features/wav2vec2.json"]


def test_gathered_stores_and_the_sheet_are_enough_from_classify_on(mini_folder, finished, tmp_path):
    (tmp_path / "data").mkdir()
    shutil.copy(mini_folder / "data" / "train_metadata.csv", tmp_path / "data")
    run = Run(tmp_path / "run", overlay(encoders=["wav2vec2", "imagebind"]))
    (run.folder / "results/features").mkdir(parents=True)
    for encoder in ("wav2vec2", "imagebind"):
        shutil.copytree(finished.folder / f"results/features/{encoder}.zarr", run.folder / f"results/features/{encoder}.zarr")
        shutil.copy(finished.folder / f"results/features/{encoder}.json", run.folder / "results/features")
    assert rules(run.stale()) == {"check_sheet", "train_head", "fuse", "report", "write_tables"}
    run.snakemake()
    for name in ("wav2vec2", "imagebind", "wav2vec2_mlp_512"):
        assert (run.folder / f"results/fusion/{name}/decisions.csv").read_bytes() == (finished.folder / f"results/fusion/{name}/decisions.csv").read_bytes()


def test_without_any_video_one_paragraph_says_what_is_missing(mini_folder, tmp_path):
    (tmp_path / "data").mkdir()
    for name in ("train_metadata.csv", "weights", "pre_extracted_train_data"):
        source = mini_folder / "data" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / "data" / name)
    said = Run(tmp_path / "run", MINI).snakemake("--dry-run", expect=1)
    assert "The data set is not there: no video is in part_*, test_videos of ../data. BLEMORE can be had from Zenodo, record 17787362" in said
    assert "`make demo` needs none of it" in said


def test_without_a_sheet_one_paragraph_says_what_is_missing(tmp_path):
    said = Run(tmp_path / "run", {}).snakemake("--dry-run", expect=1)
    assert "The data set is not there: the sheet data/BLEMORE/train_metadata.csv is no file." in said
    assert "data.root and data.train_sheet" in said
    assert said.count("The data set is not there") == 1


def test_check_works_without_any_data(tmp_path):
    said = Run(tmp_path / "run", {}).snakemake("check")
    assert "6 of 12 encoders can run" in said
    assert "features.hicmae.train names data/BLEMORE/pre_extracted_train_data/HiCMAE_train" in said
    assert "The data set is not there" in said


@pytest.mark.parametrize("targets", [("weights", "features"), ("check", "all"), ("weights", "all", "media")])
def test_targets_that_need_no_data_change_nothing_for_the_others(finished, targets):
    assert rules(finished.stale(*targets)) <= {"check", "weights"}


def test_with_an_absent_sheet_nothing_that_was_made_is_replaced(mini):
    (mini.folder.parent / "data" / "train_metadata.csv").unlink()
    before = mini.digests()
    for targets in (("weights", "features"), ("weights", "report")):
        mini.snakemake(*targets, expect=None)
    assert mini.digests() == before
    assert (mini.folder / "results/report/index.html").exists()


def test_unlocking_needs_no_data(tmp_path):
    assert "Unlocked working directory" in Run(tmp_path / "run", {}).snakemake("--unlock")


def test_layers_that_a_checkpoint_lacks_are_refused_before_anything_is_replaced(mini):
    mini.configure(overlay(features={"wav2vec2": {"layers": [1, 20]}}))
    said = mini.snakemake(expect=1)
    assert "wav2vec2: layers missing: features.wav2vec2.layers asks for 20 of the 14 layers of ../data/weights/wav2vec2_tiny" in said


def test_weights_that_are_gone_make_nothing_stale(mini):
    shutil.rmtree(mini.folder.parent / "data" / "weights")
    assert rules(mini.stale("all", "media")) == set()


def test_other_recipes_reach_a_score(mini):
    """Several seeds, the paper's early stopping, test clips by retrained heads, and every kind of head, without another extraction."""
    members = ["imagebind/official_linear", "imagebind/logistic"]
    changed = overlay(
        encoders=["imagebind"],
        classify={"early_stopping": "paper", "test_prediction": "retrained", "seeds": [1, 2], "heads": {"official_linear": {"epochs": 3}}},
        fusion={"ensembles": {"kinds": members}, "thresholds": {"choice": "plateau"}},
    )
    mini.configure(changed)
    assert rules(mini.stale("results/fusion/kinds/scores.json")) == {"train_head", "retrain_head", "fuse"}
    submissions = mini.folder / "results/submission/submissions.csv"
    header, first, *others = submissions.read_text().splitlines()
    assert first.endswith(",,,,")
    submissions.write_text("\n".join([header, first[:-4] + ",.3,.1,.2,as typed", *others]) + "\n")
    mini.snakemake("results/fusion/kinds/scores.json", "all")
    with open(submissions) as file:
        listed = list(csv.DictReader(file))
    assert [row["current"] for row in listed] == ["yes"] * 4 + ["no"] * 4
    assert [row["note"] for row in listed if row["Score"]] == ["as typed"]
    scores = json.loads((mini.folder / "results/fusion/kinds/scores.json").read_text())
    assert scores["members"] == members
    assert scores["epochs_chosen_on_scored_fold"]
    assert scores["protocols"]["nested"]["uses_scored_fold"]
    assert "except the epoch" in (mini.folder / "results/report/index.html").read_text()


@pytest.mark.soak
def test_the_layer_curve_scores_every_layer_and_range_and_changes_nothing_else(mini):
    before = mini.digests()
    mini.configure(overlay(layer_curve={"ranges": [[0, 2], [3, 5]], "reference": [0, 2]}))
    mini.snakemake("layer_curve")
    with open(mini.folder / "results/layer_curve/scores.csv") as file:
        assert [row["layers"] for row in csv.DictReader(file)] == ["0", "1", "2", "3", "4", "5", "0-2", "3-5"]
    assert rules(mini.stale("layer_curve", "all", "media")) == set()
    assert before.items() <= mini.digests().items()


@pytest.fixture(scope="module")
def other_data(mini_folder, tmp_path_factory):
    """A run on a data set that is not BLEMORE: other names, its own test sheet with labels, one more sheet that only trains; one of two encoders is missing."""
    folder = tmp_path_factory.mktemp("other")
    data = folder / "data"
    shutil.copytree(mini_folder / "data", data)
    header = (data / "train_metadata.csv").read_text().splitlines()[0]
    (data / "test_metadata.csv").write_text("\n".join([header, *(f"test_000{n},B{n},f,0,sad,1,,,,,," for n in (1, 2, 3))]) + "\n")
    (data / "more.csv").write_text(f"{header}\nextra,C1,f,0,neu,1,,,,,,\n")
    shutil.copy(data / "pre_extracted_train_data/ImageBind_train/A101_ang_int1_ver1.npy", data / "pre_extracted_train_data/ImageBind_train/extra.npy")
    changed = {"folds": "made", "made_folds": {"count": 3, "seed": 1}, "train_only": [{"sheet": "more.csv", "videos": ["more"]}]}
    run = Run(folder / "run", overlay(encoders=["imagebind", "wavlm"], missing_encoders="skip", data=changed))
    run.said = run.snakemake()
    return run


def test_folds_made_here_a_further_sheet_and_labelled_test_clips(other_data):
    run = other_data
    scores = json.loads((run.folder / "results/fusion/imagebind/scores.json").read_text())
    assert [fold["n_clips"] for fold in scores["protocols"]["nested"]["folds"]] == [3, 3, 3]
    assert scores["clips"]["scored"]["total"] == 9
    assert scores["test"]["n_clips"] == 3
    assert scores["test"]["ACC_S"] == 0
    for fold in range(3):
        dataset = xr.open_zarr(run.folder / f"results/probabilities/imagebind/mlp_1024/fold{fold}.zarr")
        assert dataset["split"].values[dataset["clip"].values == "extra"].tolist() == ["train"]
    assert "test ACC_P / ACC_S / Score" in (run.folder / "results/report/index.html").read_text()


def test_a_part_of_the_actors_is_reused_by_the_full_run(mini_folder, finished, tmp_path):
    shutil.copytree(mini_folder / "data", tmp_path / "data")
    run = Run(tmp_path / "run", overlay(data={"only_actors": ["A101", "A102"]}))
    run.snakemake("wav2vec2")
    part = run.digests()
    assert {name.split("/")[-1] for name in part if "/shards/" in name} == {"A101.json", "A102.json"}
    run.configure(MINI)
    planned = {(job.rule, job.wildcards.split("shard=")[-1]) for job in run.stale("wav2vec2") if "shard=" in job.wildcards}
    assert planned == {(rule, shard) for rule in ("extract_audio", "embed_wav2vec2") for shard in ("A103", "bucket_00")}
    assert {name: digest for name, digest in finished.digests().items() if name in part and "/shards/" in name} == {
        name: digest for name, digest in part.items() if "/shards/" in name
    }


def test_a_missing_encoder_stops_the_run(mini_folder, tmp_path):
    (tmp_path / "data").symlink_to(mini_folder / "data")
    said = Run(tmp_path / "run", overlay(encoders=["imagebind", "wavlm"])).snakemake("--dry-run", expect=1)
    assert "1 of 2 encoders cannot run" in said
    assert "wavlm: folder missing: features.wavlm.train names ../data/pre_extracted_train_data/WavLM_large_train" in said


def test_a_missing_encoder_is_left_out_where_that_is_asked_for(other_data):
    run = other_data
    assert run.said.count("Left out: encoders wavlm (`snakemake check` says why); ensembles wav2vec2_mlp_512, s4d_wav2vec2, nine, twelve (a member") == 1
    assert "Without wavlm." in (run.folder / "results/report/scores.txt").read_text()
    assert "1 of 2 encoders took part; left out: wavlm." in (run.folder / "results/report/index.html").read_text()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"media": {"track": {"fsp": 30}}}, "unknown setting media.track.fsp: did you mean fps?"),
        ({"encoders": ["wav2vec3"]}, "encoders names wav2vec3, which is not in features: did you mean wav2vec2?"),
    ],
)
def test_a_wrong_setting_is_one_sentence_before_any_job(mini_folder, tmp_path, changes, sentence):
    (tmp_path / "data").symlink_to(mini_folder / "data")
    said = Run(tmp_path / "run", overlay(**changes)).snakemake(expect=1)
    assert sentence in said
    assert "Traceback" not in said
    assert "common.smk" not in said
    assert "rule " not in said.split(sentence)[0]


def test_every_script_reads_exactly_the_settings_that_its_rule_declares(mini):
    """A setting that is read and not declared is a KeyError in any run; one that is declared and not read makes results stale for nothing."""
    command = [sys.executable, str(REPOSITORY / "tests" / "workflow" / "reads.py"), "overlay.yaml"]
    done = subprocess.run(command, cwd=mini.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) >= 13
    assert {rule: left for rule, left in found.items() if left} == {
        "check_sheet": ["cfg.made_folds"],  # looked at where folds are made
        "finetune_wav2vec2": ["runtime.loader_workers"],  # looked at where there is a GPU
        "import_provided": ["cfg.test", "cfg.train"],  # recorded only: the files in these folders come as `clips`
    }
