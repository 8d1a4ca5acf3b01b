"""The table "What a change re-runs" of the design. The expected sets are written from it by hand."""

import csv
import os
import re
import shutil
from pathlib import Path

import pytest
import yaml
from workflow.conftest import MINI
from workflow.runs import REPOSITORY, Run, planned, rules
from workflow.test_mini import merged, overlay

pytestmark = pytest.mark.workflow
AFTER_HEADS = {"fuse", "write_submission", "list_submissions", "report", "write_tables"}
AFTER_FEATURES = {"train_head"} | AFTER_HEADS
FINETUNE = {"finetune_wav2vec2"}
AFTER_SHEET = {"check_sheet"} | FINETUNE | AFTER_FEATURES
PER_SHARD = ("track_faces", "crop_faces", "sample_body_frames", "extract_audio", "cut_clips", "embed_wav2vec2")
SHARDS = ("A101", "A102", "A103", "bucket_00")
FACES = {"track_faces", "crop_faces", "sample_body_frames"}
TABLE = [
    ({"media": {"track": {"max_gap_s": 0.4}}}, FACES),
    ({"media": {"track": {"search_interval_s": 0.4}}}, FACES),
    ({"media": {"track": {"person": "largest"}}}, FACES),
    ({"media": {"track": {"landmarks": "followed"}}}, FACES),
    ({"media": {"track": {"stride": 4}}}, FACES),
    ({"media": {"track": {"thresholds": [0.5, 0.6, 0.7]}}}, FACES),
    ({"media": {"faces": {"size": 128}}}, {"crop_faces"}),
    ({"media": {"faces": {"margin": 0.3}}}, {"crop_faces"}),
    ({"media": {"faces": {"quality": 90}}}, {"crop_faces"}),
    ({"media": {"body": {"crop": "full"}}}, {"sample_body_frames"}),
    ({"media": {"body": {"face_heights": 4}}}, {"sample_body_frames"}),
    ({"media": {"body": {"fps": 5}}}, {"sample_body_frames"}),
    ({"media": {"body": {"quality": 80}}}, {"sample_body_frames"}),
    ({"media": {"body": {"short_side": 128}}}, {"sample_body_frames"}),
    ({"media": {"clips": {"seconds": 1.0}}}, {"cut_clips"}),
    ({"media": {"clips": {"fps": 15}}}, {"cut_clips"}),
    ({"media": {"clips": {"max_height": 100}}}, {"cut_clips"}),
    ({"media": {"clips": {"crf": 30}}}, {"cut_clips"}),
    ({"media": {"clips": {"audio_bitrate": 64000}}}, {"cut_clips"}),
    ({"features": {"wav2vec2": {"layers": [1, 5]}}}, {"embed_wav2vec2", "gather_features"} | AFTER_FEATURES),
    ({"features": {"wav2vec2": {"segments": 3}}}, {"embed_wav2vec2", "gather_features"} | AFTER_FEATURES),
    ({"features": {"wav2vec2": {"precision": "bfloat16"}}}, {"embed_wav2vec2", "gather_features"} | AFTER_FEATURES),
    ({"features": {"wav2vec2_finetuned": {"crop_s": 0.6}}}, FINETUNE | AFTER_HEADS),
    ({"classify": {"early_stopping": "paper"}}, FINETUNE | AFTER_FEATURES),
    ({"classify": {"seeds": [2]}}, AFTER_FEATURES),
    ({"classify": {"test_prediction": "retrained"}}, {"retrain_head"} | FINETUNE | AFTER_HEADS),
    ({"classify": {"heads": {"mlp_1024": {"epochs": 9}}}}, AFTER_FEATURES),
    ({"fusion": {"weights": {"picks": 4}}}, AFTER_HEADS),
    ({"fusion": {"weights": {"step": 0.2}}}, AFTER_HEADS),
    ({"fusion": {"thresholds": {"choice": "plateau"}}}, AFTER_HEADS),
    ({"fusion": {"average": "log_probabilities"}}, AFTER_HEADS),
    ({"fusion": {"calibration": "temperature"}}, AFTER_HEADS),
    ({"fusion": {"resamples": {"count": 200}}}, AFTER_HEADS),
    ({"report": {"embed_faces": True}}, {"report"}),
    ({"report": {"embed_sound": False}}, {"report"}),
    ({"runtime": {"device": "cpu"}}, set()),
    ({"runtime": {"clips_at_once": 2}}, set()),
    ({"runtime": {"weights": "elsewhere"}}, set()),
    ({"runtime": {"loader_workers": 2}}, set()),
    ({"runtime": {"resume": "elsewhere"}}, set()),
    ({"runtime": {"api_replies": "elsewhere"}}, set()),
]


def side_by_side(table):
    """Rows that one dry-run can show, since no rule is expected of two; what makes nothing stale is never beside what does."""
    batches = []
    for changes, expected in table:
        fits = (batch for batch in batches if bool(batch[1]) == bool(expected) and not batch[1] & expected)
        if batch := next(fits, None):
            batch[:] = merged(batch[0], changes), batch[1] | expected
        else:
            batches.append([changes, expected])
    return batches


def named(value):
    return str(value) if isinstance(value, dict) else ""


# Side by side, a rule that one setting should not reach may be one that another does: at length, each row is alone.
@pytest.mark.parametrize(("changes", "expected"), [*side_by_side(TABLE), *(pytest.param(*row, marks=pytest.mark.soak) for row in TABLE)], ids=named)
def test_settings_make_stale_what_the_table_says(mini_folder, tmp_path, changes, expected):
    run = Run(tmp_path / "overlay", overlay(**changes))
    run.folder = _linked(mini_folder, tmp_path, run)
    jobs = run.stale("all", "media")
    assert rules(jobs) == expected
    assert extraction(jobs) == {(rule, shard) for rule in expected & set(PER_SHARD) for shard in SHARDS}


def test_the_rate_of_audio_makes_all_audio_stale(mini_folder, tmp_path):
    """No network of speech takes part, since those need the rate that they have."""
    run = Run(tmp_path / "overlay", overlay(encoders=["imagebind"], media={"audio": {"sample_rate_hz": 22050}}))
    run.folder = _linked(mini_folder, tmp_path, run)
    jobs = run.stale("media")
    assert rules(jobs) == {"extract_audio"}
    assert extraction(jobs) == {("extract_audio", shard) for shard in SHARDS}


def extraction(jobs):
    """Rule and shard of every job that works on one shard."""
    return {(job.rule, job.wildcards.rsplit("shard=", 1)[1]) for job in jobs if "shard=" in job.wildcards}


def _linked(mini_folder, tmp_path, run):
    """Dry-runs change nothing, so they look at the finished run itself, with another overlay."""
    folder = tmp_path / "run"
    shutil.copytree(mini_folder / "run" / ".snakemake", folder / ".snakemake", ignore=shutil.ignore_patterns("log", "locks", "scripts"))
    (folder / "results").symlink_to(mini_folder / "run" / "results")
    (tmp_path / "data").symlink_to(mini_folder / "data")
    shutil.copy(run.folder / "overlay.yaml", folder)
    return folder


def test_only_the_heads_of_the_changed_encoder_are_trained_again(mini):
    mini.configure(overlay(features={"wav2vec2": {"layers": [1, 5]}}))
    jobs = mini.stale()
    trained = {f"encoder=wav2vec2, head={head}, fold={fold}" for head in ("mlp_1024", "mlp_512") for fold in (0, 1)}
    assert wildcards(jobs, "train_head") == trained
    assert wildcards(jobs, "fuse") == {f"ensemble={name}" for name in ("wav2vec2", "all", "wav2vec2_mlp_512")}


def wildcards(jobs, rule):
    return {job.wildcards for job in jobs if job.rule == rule}


def test_training_of_a_fine_tuned_encoder_concerns_it_and_the_ensembles_that_contain_it(mini):
    mini.configure(overlay(features={"wav2vec2_finetuned": {"training": {"epochs": 1}}}))
    jobs = mini.stale("all", "media")
    assert rules(jobs) == FINETUNE | AFTER_HEADS
    assert wildcards(jobs, "finetune_wav2vec2") == {f"encoder=wav2vec2_finetuned, model=fold{fold}" for fold in (0, 1)}
    assert wildcards(jobs, "fuse") == {"ensemble=wav2vec2_finetuned", "ensemble=all"}


def test_frames_reach_the_encoders_that_are_fine_tuned_on_them(mini):
    """Their results are stand-ins that Snakemake is told to take for made, since training would take longer than all else here."""
    encoders = {"s4d": "finetune_s4d", "videomae": "finetune_videomae"}
    targets = [f"results/probabilities/{encoder}/own/fold0.json" for encoder in encoders]
    for encoder in encoders:
        for path in (f"probabilities/{encoder}/own/fold0.zarr", f"finetune/{encoder}/fold0"):
            (mini.folder / "results" / path).mkdir(parents=True)
        for path in (f"weights/{encoder}.json", f"probabilities/{encoder}/own/fold0.json", f"heads/{encoder}/own/fold0.json"):
            (mini.folder / "results" / path).parent.mkdir(parents=True, exist_ok=True)
            (mini.folder / "results" / path).write_text("{}")
    weights = {encoder: {"model": f"../data/weights/{encoder}_tiny"} for encoder in encoders}
    weights["s4d"]["file"] = "s4d_tiny.pt"
    mini.configure(overlay(features=weights))
    mini.snakemake("--touch", *targets)
    assert rules(mini.stale(*targets)) == set()
    mini.configure(overlay(features=weights, media={"faces": {"size": 128}}))
    assert rules(mini.stale(*targets)) == {"crop_faces", "finetune_s4d"}
    mini.configure(overlay(features=weights, media={"body": {"crop": "full"}}))
    assert rules(mini.stale(*targets)) == {"sample_body_frames", "finetune_videomae"}


def test_only_the_heads_of_a_changed_recipe_are_trained_again(mini):
    mini.configure(overlay(classify={"heads": {"mlp_512": {"epochs": 9}}}))
    jobs = mini.stale()
    assert wildcards(jobs, "train_head") == {f"encoder=wav2vec2, head=mlp_512, fold={fold}" for fold in (0, 1)}
    assert wildcards(jobs, "fuse") == {"ensemble=wav2vec2_mlp_512"}


@pytest.mark.parametrize("time_s", [None, 0, 4_000_000_000], ids=["now", "1970", "2096"])
def test_times_of_files_make_nothing_stale(mini, time_s):
    """Touched, and written by a clock that was set back or runs ahead."""
    for folder, _, files in os.walk(mini.folder.parent):
        for file in files:
            if ".snakemake" not in folder:
                os.utime(Path(folder, file), None if time_s is None else (time_s, time_s))
    assert rules(mini.stale("all", "media")) == set()


def test_the_order_of_keys_does_not_count(mini):
    def reverse(value):
        return {key: reverse(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    mini.configure(reverse(MINI))
    assert rules(mini.stale("all", "media")) == set()


def test_folds_in_the_sheet_change_no_extraction(mini):
    sheet = mini.folder.parent / "data" / "train_metadata.csv"
    lines = [line[:-1] + {"0": "2"}.get(line[-1], line[-1]) if line.startswith("A103") else line for line in sheet.read_text().splitlines()]
    sheet.write_text("\n".join(lines) + "\n")
    assert rules(mini.stale("all", "media")) == AFTER_SHEET


def test_a_changed_row_changes_no_extraction(mini):
    sheet = mini.folder.parent / "data" / "train_metadata.csv"
    text = sheet.read_text()
    sheet.write_text(re.sub(r"(?m)^(A101_\w+,A101),[fm],", r"\1,x,", text))
    assert sheet.read_text() != text
    assert rules(mini.stale("all", "media")) == AFTER_SHEET


def test_changed_labels_change_no_extraction(mini):
    """Of clips whose names state none; the renamed ones count as made by `--touch`."""
    data, renamed = mini.folder.parent / "data", {}
    sheet = data / "train_metadata.csv"
    rows = list(csv.DictReader(sheet.read_text().splitlines()))
    for row in [next(row for row in rows if row["mix"] == mix) for mix in "01"]:
        old, row["filename"] = row["filename"], f"free_{row['mix']}"
        renamed[row["filename"]] = row
        for file in [*data.glob(f"part_*/{old}.*"), *data.glob(f"pre_extracted_*/*/{old}.*")]:
            file.rename(file.with_stem(row["filename"]))
    write_rows(sheet, rows)
    assert {"extract_audio", "check_sheet"} <= rules(mini.stale("all", "media"))
    mini.snakemake("--touch", "all", "media")
    assert rules(mini.stale("all", "media")) == set()
    renamed["free_0"]["emotion_1"] = "hap" if renamed["free_0"]["emotion_1"] != "hap" else "sad"
    blend = renamed["free_1"]
    blend["emotion_1_salience"], blend["emotion_2_salience"] = ("30", "70") if blend["emotion_1_salience"] != "30" else ("70", "30")
    write_rows(sheet, rows)
    assert rules(mini.stale("all", "media")) == AFTER_SHEET


def write_rows(sheet, rows):
    with open(sheet, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_replaced_video_makes_only_its_shard_stale(mini):
    video = mini.folder.parent / "data" / "part_02" / "A102_disg_int1_ver1.mov"
    video.write_bytes(video.read_bytes() + b"\0")
    jobs = mini.stale("all", "media")
    assert extraction(jobs) == {(rule, "A102") for rule in PER_SHARD}
    assert rules(jobs) == set(PER_SHARD) | {"gather_features"} | FINETUNE | AFTER_FEATURES


def test_one_more_clip_makes_only_its_shard_stale(mini):
    data = mini.folder.parent / "data"
    shutil.copy(data / "part_02" / "A102_disg_int1_ver1.mov", data / "part_02" / "A102_disg_int1_ver2.mov")
    with open(data / "train_metadata.csv", "a") as sheet:
        sheet.write("A102_disg_int1_ver2,A102,m,0,disg,2,1,,,,,1\n")
    assert extraction(mini.stale("all", "media")) == {(rule, "A102") for rule in PER_SHARD}


def test_a_removed_clip_makes_only_its_shard_stale(mini):
    sheet = mini.folder.parent / "data" / "train_metadata.csv"
    kept = [line for line in sheet.read_text().splitlines() if not line.startswith("A102_disg_int1_ver1,")]
    sheet.write_text("\n".join(kept) + "\n")
    jobs = mini.stale("all", "media")
    assert extraction(jobs) == {(rule, "A102") for rule in PER_SHARD}
    # Provided features are one store of all clips, so the clip leaves that too.
    assert rules(jobs) == {"gather_features", "import_provided", *PER_SHARD} | AFTER_SHEET


def test_a_replaced_file_of_provided_features_makes_only_its_encoder_stale(mini):
    file = next((mini.folder.parent / "data" / "pre_extracted_train_data").rglob("*.npy"))
    file.write_bytes(file.read_bytes() + b"\0")
    jobs = mini.stale("all", "media")
    assert rules(jobs) == {"import_provided"} | AFTER_FEATURES
    assert {job.wildcards.split(",")[0] for job in jobs if job.rule in ("import_provided", "train_head")} == {"encoder=imagebind"}


def test_a_second_folder_of_provided_features_leaves_the_first_alone(mini):
    second = {"encoders": [*MINI["encoders"], "second"], "features": {"second": {"kind": "provided", **_folders_of_imagebind()}}}
    mini.configure(overlay(**second))
    jobs = mini.stale("all", "media")
    assert rules(jobs) == {"import_provided"} | AFTER_FEATURES
    assert {job.wildcards.split(",")[0] for job in jobs if job.rule in ("import_provided", "train_head")} == {"encoder=second"}
    assert {job.wildcards for job in jobs if job.rule == "fuse"} == {"ensemble=second", "ensemble=all"}


def test_a_concatenation_joins_what_is_there_and_runs_again_with_its_parts(mini):
    mini.configure(overlay(encoders=[*MINI["encoders"], "both"], concatenations={"both": ["wav2vec2", "imagebind"]}))
    jobs = mini.stale("all", "media")
    assert rules(jobs) == {"concatenate_features"} | AFTER_FEATURES
    assert {job.wildcards.split(",")[0] for job in jobs if job.rule == "train_head"} == {"encoder=both"}
    mini.snakemake("results/features/both.json")
    joined = mini.manifest("features/both")
    assert joined["shape"][1] == sum(mini.manifest(f"features/{name}")["shape"][1] for name in ("wav2vec2", "imagebind"))
    assert "concatenate_features" not in rules(mini.stale("features"))
    file = next((mini.folder.parent / "data" / "pre_extracted_train_data").rglob("*.npy"))
    file.write_bytes(file.read_bytes() + b"\0")
    assert rules(mini.stale("results/features/both.json")) == {"import_provided", "concatenate_features"}


def test_given_features_and_weights_that_are_gone_leave_what_was_made_of_them(mini):
    data = mini.folder.parent / "data"
    gone = [*data.glob("pre_extracted_*"), data / "weights"]
    assert len(gone) > 2
    for folder in gone:
        folder.rename(mini.folder / folder.name)
    assert rules(mini.stale("all", "media")) == set()


def _folders_of_imagebind():
    imagebind = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["features"]["imagebind"]
    return {part: imagebind[part] for part in ("train", "test", "width", "columns")}


def test_using_conda_or_not_makes_nothing_stale(mini):
    """The stand-in only answers which conda this is; a dry-run makes no environment."""
    said = mini.snakemake("--dry-run", "--use-conda", "all", "media", PATH=f"{REPOSITORY}/tests/conda:{os.environ['PATH']}")
    assert "torch.yaml will be created" in said
    assert rules(planned(said)) == set()


def test_neither_cores_nor_another_profile_make_anything_stale(mini):
    said = mini.snakemake("--dry-run", "all", "media", "--profile", str(REPOSITORY / "profiles" / "slurm"), "--jobs", "7", cores=1)
    assert "profiles/slurm" in said
    assert rules(planned(said)) == set()


def test_a_checkout_made_again_makes_nothing_stale(mini, checkout):
    """Its files are all newer than the results, and lie elsewhere."""
    assert rules(Run(mini.folder, MINI, checkout / "Snakefile").stale("all", "media")) == set()


def test_copies_with_new_times_in_the_same_place_make_nothing_stale(mini):
    for video in (mini.folder.parent / "data").rglob("*.mov"):
        content = video.read_bytes()
        video.unlink()
        video.write_bytes(content)
    assert rules(mini.stale("all", "media")) == set()


@pytest.fixture
def checkout(tmp_path):
    """A copy of the code, written just now."""
    folder = tmp_path / "checkout"
    for part in ("Snakefile", "config.yaml", "rules", "envs", "workflow", "profiles"):
        source = REPOSITORY / part
        folder.mkdir(exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"), copy_function=shutil.copyfile)
        else:
            shutil.copyfile(source, folder / part)
    return folder


def test_an_edit_of_a_module_makes_stale_the_rules_that_import_it(mini, checkout):
    run = Run(mini.folder, MINI, checkout / "Snakefile")
    module = checkout / "workflow/scripts/blemore/features/wav2vec2.py"
    module.write_text("# A comment.\n" + module.read_text())
    assert rules(run.stale("all", "media")) == set()
    module.write_text(module.read_text().replace("1e-7", "1e-6"))
    jobs = run.stale("all", "media")
    assert {job.rule for job in jobs if "Params have changed" in job.reason} == {"embed_wav2vec2"}
    assert rules(jobs) == {"embed_wav2vec2", "gather_features"} | AFTER_FEATURES
    run.snakemake("--touch", "all", "media")
    assert rules(run.stale("all", "media")) == set()


@pytest.mark.parametrize(
    ("modules", "first", "also"),
    [
        (("media/align.py", "finetune/speech.py"), {"crop_faces"} | FINETUNE, {"fuse"}),
        (("media/images.py", "media/audio.py"), {"track_faces", "extract_audio", "cut_clips"}, {"crop_faces", "sample_body_frames"} | FINETUNE),
        (("fusion/submission.py", "report/tables.py"), {"write_submission", "report"}, {"write_tables"}),
        (("fusion/thresholds.py",), {"train_head"} | FINETUNE, {"fuse"}),
    ],
)
def test_the_reason_is_params_for_exactly_the_importers(mini, checkout, modules, first, also):
    """`first` are the importers that wait for no other; the reason that Snakemake gives for the others is what they wait for."""
    for module in modules:
        path = checkout / "workflow/scripts/blemore" / module
        path.write_text(path.read_text() + "\nADDED = 1\n")
    jobs = Run(mini.folder, MINI, checkout / "Snakefile").stale("all", "media")
    assert {job.rule for job in jobs if "Params have changed" in job.reason} == first
    assert also <= rules(jobs)


def test_merging_is_recursive():
    assert merged({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}) == {"a": {"b": 1, "c": 3}}
