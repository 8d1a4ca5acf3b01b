"""The table of `check`: what is said, and what it all costs."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from unit.check.places import LEAVES, PROVIDED, provide, store
from unit.data.sheets import SMALL, touch

import check
from blemore.configuration import CONCATENATION, kind_schemas
from blemore.features.api_requests import describe_request, reply_path
from blemore.features.check import COSTS, HEAD_S, MEDIA_OF_KIND, estimate_report, report, table
from blemore.features.readiness import KINDS
from blemore.finetune.hours import hours_of_one_core
from blemore.problems import load_schema
from blemore.settings import sha256


def test_every_kind_of_the_schema_has_a_readiness_and_a_cost():
    kinds = set(kind_schemas(load_schema("config"), "encoder"))
    assert set(KINDS) == set(MEDIA_OF_KIND) == kinds | {CONCATENATION}
    assert kinds <= set(COSTS)


def test_what_a_concatenation_is_made_of_costs_once(config):
    """Seven clips: audio and wav2vec2 as well as the joining, though wav2vec2 itself does not take part."""
    config["concatenations"]["speech"] = ["wav2vec2", "prosody"]
    config["encoders"] = ["speech", "prosody"]
    used = [COSTS[name].seconds for name in ("extract_audio", "wav2vec2", "prosody", "concatenation")]
    hours = (7 * sum(used) + 2 * 3 * HEAD_S) / 3600
    assert f" {hours:.1f} hours of one core (6 heads included)" in report(config)
    for fold in (0, 1):
        touch(Path(f"results/probabilities/prosody/mlp_1024/fold{fold}.json"))
    assert "(4 heads included)" in report(config)


def test_the_estimate_counts_what_is_not_answered_yet(config):
    """Two clips with a video, of 2 s, one of which has a kept reply: one request of two frames."""
    cut, encoder = config["media"]["clips"], config["features"]["gemini"]
    Path("data/part_01/A102_neu_sit2_ver1.mov").write_bytes(b"one")
    touch(reply_path("api_replies", describe_request(sha256(Path("data/part_01/A102_neu_sit2_ver1.mov")), cut, encoder)))
    lines = estimate_report(config).splitlines()
    assert lines[0].split("  ")[0] == "encoder"
    assert lines[1].split() == ["gemini", "2", "1", "1", "2", "0.00"]
    assert lines[2] == f"gemini: {LEAVES}, once confirm_upload is true."
    encoder["confirm_upload"] = True
    assert estimate_report(config).splitlines()[2] == f"gemini: {LEAVES}, as confirm_upload is true."
    assert lines[3].endswith("Nothing was sent.")


def test_the_estimate_without_a_data_set_says_where_to_get_it(config):
    Path("data/train_metadata.csv").unlink()
    assert estimate_report(config).startswith("The data set is not there")


def test_a_sheet_without_clips_is_said(config):
    sheet = Path("data/train_metadata.csv")
    sheet.write_text(sheet.read_text().splitlines()[0] + "\n")
    config["data"]["test_videos"] = []
    assert estimate_report(config) == "train_metadata.csv names no clip; add some, or name another sheet in data.train_sheet.\n"


def test_report_without_data_is_complete_and_says_where_to_get_it(config):
    Path("data/train_metadata.csv").unlink()
    lines = report(config).splitlines()
    assert lines[0].split() == ["encoder", "kind", "state", "clips", "detail"]
    assert [line.split()[0] for line in lines[1:9]] == config["encoders"]
    assert lines[9] == "2 of 8 encoders can run; a run stops before its first job (missing_encoders: error)."
    assert lines[11].startswith("The data set is not there: the sheet data/train_metadata.csv is no file. BLEMORE can be had from Zenodo, record 17787362")
    assert lines[11].endswith("`make demo` needs none of it: it generates its own data set.")
    assert len(lines) == 12


def test_report_with_data_sums_up(config):
    provide(config, *PROVIDED)
    assert report(config).split("\n\n")[1].splitlines() == [
        "train       6 clips, 3 actors, 3 folds",
        "train_only  0 clips",
        "test        1 clips (files in test_videos: there is no test sheet)",
        "videos      2 of 7 found, 4 shards",
    ]
    assert "8 of 8 encoders can run.\n" in report(config)


def test_report_of_a_data_set_without_videos_says_so_only_where_they_are_needed(config):
    Path("data/part_01/A102_neu_sit2_ver1.mov").unlink()
    config["data"]["test_videos"] = []
    provide(config, *PROVIDED)
    assert "no video is in part_*" in report(config)
    for name in ("wav2vec2", "prosody"):
        store(Path(f"results/features/{name}.json"))
    assert "no video is in" not in report(config)


def test_report_warns_of_few_folds_and_of_actors_that_train_and_test(config):
    Path("data/train_metadata.csv").write_text(SMALL.replace(",2\n", ",1\n"))
    Path("data/test_metadata.csv").write_text("filename,video_id\ntest_0001,A102\n")
    text = report(config)
    assert "\n            fewer than 3 folds: the inner split takes actors of the one fold that trains\n" in text
    assert "\n            also train: A102, so the test score is not one of unseen actors\n" in text


def test_cost_counts_each_stage_once_and_leaves_out_what_is_stored(config, monkeypatch):
    """Seven clips: audio 1 s once, wav2vec2 2 s, prosody 4 s: 49 s; heads: 3 folds, 2 alone and wav2vec2/mlp_512: 9 of 400 s; 3649 s in all."""
    monkeypatch.setattr("blemore.features.check.HEAD_S", 400)
    for kind, seconds in (("extract_audio", 1), ("wav2vec2", 2), ("prosody", 4)):
        monkeypatch.setitem(COSTS, kind, COSTS[kind]._replace(seconds=seconds, megabytes=100 * seconds))
    config["encoders"] = ["wav2vec2", "prosody"]
    assert report(config).endswith("expected    4.9 GB, 1.0 hours of one core (9 heads included), 0 dollars; rough, for clips of 4 s\n")
    store(Path("results/features/prosody.json"))
    assert "expected    2.1 GB, " in report(config)


def test_cost_counts_the_pictures_that_an_encoder_looks_at(config, monkeypatch):
    """Seven clips: 1 GB for the track, 2 for body frames, 4 for faces."""
    for kind, gigabytes in (("track_faces", 1), ("sample_body_frames", 2), ("crop_faces", 4), ("dinov2", 0), ("videoswin", 0)):
        monkeypatch.setitem(COSTS, kind, COSTS[kind]._replace(megabytes=1000 * gigabytes))
    config["encoders"] = ["dinov2_own"]
    assert "expected    21.0 GB, " in report(config)
    config["features"]["dinov2_own"]["frames"] = "faces"
    assert "expected    35.0 GB, " in report(config)
    config["encoders"] = ["dinov2_own", "videoswin_own"]
    assert "expected    49.0 GB, " in report(config)


def test_columns_are_padded_to_the_widest_cell():
    assert table([("a", "bb", "c"), ("aaaa", "b", "")]) == ["a     bb  c", "aaaa  b"]


def test_the_script_prints_the_table_and_keeps_it_in_the_log(config, capsys):
    check.main(SimpleNamespace(params=SimpleNamespace(config=config, hub_offline="0"), log=["check.log"]))
    assert capsys.readouterr().out == Path("check.log").read_text() == report(config)


def test_what_is_wrong_with_the_sheet_is_said_with_all_else(config):
    sheet = Path("data/train_metadata.csv")
    sheet.write_text(SMALL.replace(",ang,", ",joy,", 1))
    said = report(config)
    assert said.startswith("encoder")
    assert "joy" in said.splitlines()[-1]


def test_fine_tuning_on_a_cpu_is_warned_of_with_its_hours(config):
    """Of 3 folds one teaches and one stops: 7 clips, 4 views: 3 x 7 x (100 x (2.9 + 7.3) / 3 + 7.3) s."""
    config["encoders"] = ["s4d"]
    assert hours_of_one_core(config["features"]["s4d"], 7, 3) == pytest.approx(3 * 7 * (100 * (2.9 + 7.3) / 3 + 7.3) / 3600)
    assert "\nfine-tuning s4d 2 hours of one core: use a GPU, or leave them out as presets/no_gpu.yaml does\nexpected " in report(config)
