"""Whether each encoder can run, and what it lacks."""

import json
from pathlib import Path

import pytest
from unit.check.places import LEAVES, PROVIDED, provide, state, store
from unit.data.sheets import touch

from blemore.data.catalogue import Catalogue
from blemore.features.check import report
from blemore.features.readiness import readiness, select_encoders
from blemore.job import BadInput

IMPORTED = "clip,fold,probability_ang,probability_disg,probability_fea,probability_hap,probability_sad,probability_neu\n"


def test_prosody_needs_only_videos(config):
    assert state(config, "prosody") == ("prosody", "ready", "needs no weights", 2)


def test_weights_on_the_hub_are_fetched_by_the_run(config):
    missing = state(config, "wav2vec2")
    assert missing == (
        "wav2vec2",
        "weights missing",
        "facebook/wav2vec2-large, 1.3 GB (features.wav2vec2.model): fetched by `snakemake weights`, or by the run itself where the hub can be reached; "
        "or name a local folder",
        2,
    )
    assert not missing.blocks_run


def test_weights_block_a_run_that_may_not_fetch_them(config, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    missing = state(config, "wav2vec2")
    assert missing.detail == "facebook/wav2vec2-large, 1.3 GB (features.wav2vec2.model): HF_HUB_OFFLINE=1 forbids to fetch them; or name a local folder"
    assert missing.blocks_run


def test_fetched_weights_are_ready(config):
    touch(Path("weights/facebook--wav2vec2-large--main/config.json"))
    assert state(config, "wav2vec2")[1:3] == ("ready", "weights/facebook--wav2vec2-large--main")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], ("folder incomplete", "features.wav2vec2.model names local, which holds no config.json")),
        (["config.json"], ("folder incomplete", "features.wav2vec2.model names local, which holds no model.safetensors or pytorch_model.bin")),
        (["config.json", "model.safetensors"], ("ready", "local")),
        (["config.json", "pytorch_model.bin"], ("ready", "local")),
    ],
)
def test_a_local_checkpoint_must_be_whole(config, files, expected):
    Path("local").mkdir()
    for name in files:
        touch(Path("local", name))
    config["features"]["wav2vec2"]["model"] = "local"
    found = state(config, "wav2vec2")
    assert found[1:3] == expected
    assert found.blocks_run == (expected[0] != "ready")


@pytest.mark.parametrize(
    ("name", "files", "lacking"),
    [
        ("clip_own", ["config.json", "model.safetensors"], "preprocessor_config.json"),
        ("pe_av", ["config.json", "model.safetensors", "preprocessor_config.json"], "video_preprocessor_config.json"),
        ("clip_own", ["config.json", "preprocessor_config.json"], "model.safetensors or pytorch_model.bin"),
        ("videoswin_own", [], "single .pth file"),
        ("videoswin_own", ["a.pth", "b.pth"], "single .pth file"),
    ],
)
def test_what_a_checkpoint_of_each_kind_must_hold(config, name, files, lacking):
    Path("local").mkdir()
    for file in files:
        touch(Path("local", file))
    config["features"][name]["model"] = "local"
    assert state(config, name)[1:3] == ("folder incomplete", f"features.{name}.model names local, which holds no {lacking}")


def test_gated_weights_need_a_token(config, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", "home")
    found = state(config, "dinov3_own")
    assert (found.state, found.blocks_run) == ("gated", True)
    assert found.detail == (
        "facebook/dinov3-vitb16-pretrain-lvd1689m, 0.3 GB (features.dinov3_own.model): accept its licence on the hub and give your token in HF_TOKEN; "
        "or name a local folder"
    )
    touch(Path("home/token"))
    assert state(config, "dinov3_own").state == "weights missing"


def test_weights_of_torchvision_are_a_name_a_folder_or_a_file(config):
    assert state(config, "videoswin_own")[1:3] == (
        "weights missing",
        "swin3d_t, 0.1 GB (features.videoswin_own.model): fetched by `snakemake weights`, or by the run itself where the hub can be reached; "
        "or name a local folder",
    )
    touch(Path("weights/swin3d_t--KINETICS400_V1/swin3d_t-7615ae03.pth"))
    assert state(config, "videoswin_own")[1:3] == ("ready", "weights/swin3d_t--KINETICS400_V1")
    touch(Path("mine.pth"))
    config["features"]["videoswin_own"]["model"] = "mine.pth"
    assert state(config, "videoswin_own")[1:3] == ("ready", "mine.pth")


@pytest.mark.parametrize("model", ["wav2vec2", "/nowhere/wav2vec2", "./a/b", "a/b/c"])
def test_what_is_neither_folder_nor_name_on_the_hub_blocks(config, model):
    config["features"]["wav2vec2"]["model"] = model
    found = state(config, "wav2vec2")
    assert found[1:3] == ("folder missing", f"features.wav2vec2.model names {model}, which is neither a folder nor a name on the hub")
    assert found.blocks_run


def test_provided_features_say_for_how_many_clips(config):
    provide(config, "wavlm")
    assert state(config, "wavlm")[1:] == ("ready", "files for 1 of 6 train clips, 1 of 1 test clips", 2)


def test_provided_folders_that_are_absent_are_named_with_their_settings(config):
    found = state(config, "wavlm")
    assert found.detail == (
        "features.wavlm.train names data/pre_extracted_train_data/WavLM_large_train, "
        "features.wavlm.test names data/pre_extracted_test_data/WavLM_large_test: nothing is there"
    )
    assert (found.state, found.blocks_run) == ("folder missing", True)


def test_a_provided_folder_without_any_clip_blocks(config):
    touch(Path("data", config["features"]["wavlm"]["train"], "other.npy"))
    touch(Path("data", config["features"]["wavlm"]["test"], "other.npy"))
    found = state(config, "wavlm")
    assert found[1:] == ("folder incomplete", "files for 0 of 6 train clips, 0 of 1 test clips", 0)
    assert found.blocks_run


def test_a_provided_folder_of_another_name_is_pointed_at(config):
    touch(Path("data/pre_extracted_train_data/DINO_v2_train/A102_neu_sit2_ver1.npy"))
    touch(Path("data/pre_extracted_train_data/OpenFace_3_train/A102_neu_sit2_ver1.csv"))
    config["features"]["dinov2"]["test"] = None
    assert state(config, "dinov2").detail == (
        "features.dinov2.train names data/pre_extracted_train_data/DINOv2_train (did you mean DINO_v2_train?): nothing is there"
    )


def test_a_provided_folder_that_cannot_be_used_blocks(config):
    provide(config, "wavlm")
    touch(Path("data", config["features"]["wavlm"]["train"], "A102_neu_sit2_ver1.csv"))
    found = state(config, "wavlm")
    assert found[1:3] == (
        "folder unusable",
        "A102_neu_sit2_ver1 is there twice, in data/pre_extracted_train_data/WavLM_large_train/A102_neu_sit2_ver1.csv and in "
        "data/pre_extracted_train_data/WavLM_large_train/A102_neu_sit2_ver1.npy; keep one.",
    )
    assert found.blocks_run


def test_a_colleagues_store_says_which_of_its_settings_are_not_ours(config):
    attributes = {"settings": {"max_failed_fraction": 0.05}, "extraction": {"settings": {"layers": [1, 5], "segments": 1, "model": "facebook/wav2vec2-large"}}}
    touch(Path("data/theirs/wav2vec2.zarr/zarr.json")).write_text(json.dumps({"attributes": attributes}))
    Path("data/theirs/wav2vec2.json").write_text(json.dumps({"content_sha256": "0" * 64, "clips": ["A102_neu_sit2_ver1", "test_0001"]}))
    place = "theirs/wav2vec2.zarr"
    config["features"]["theirs"] = {"kind": "provided", "train": place, "test": place, "width": None, "columns": None}
    assert state(config, "theirs")[1:] == (
        "ready",
        "files for 1 of 6 train clips, 1 of 1 test clips; data/theirs/wav2vec2.zarr was made with other settings than features.wav2vec2 here "
        "(layers: [1, 5] -> [6, 12])",
        2,
    )


def test_imported_predictions_are_read_before_a_run(config):
    files = ["data/predictions/decisions.csv", "data/predictions/test_decisions.csv"]
    found = state(config, "imported")
    assert found[1:] == ("file missing", f"features.imported.files names {files[0]}, {files[1]}: no such file", None)
    assert found.blocks_run
    touch(Path(files[1])).write_text(IMPORTED + "test_0001,,1,0,0,0,0,0\n")
    Path(files[0]).write_text(IMPORTED + "A102_neu_sit2_ver1,4,1,0,0,0,0,0\n")
    found = state(config, "imported")
    assert (found.state, found.blocks_run) == ("file unusable", True)
    assert found.detail.startswith(f"{files[0]} line 2: A102_neu_sit2_ver1 has fold 4, in the sheet ")
    fold = next(clip.fold for clip in Catalogue(config["data"]).clips if clip.clip == "A102_neu_sit2_ver1")
    Path(files[0]).write_text(IMPORTED + f"A102_neu_sit2_ver1,{fold},1,0,0,0,0,0\n")
    assert state(config, "imported")[1:] == ("ready", "predictions of 1 of 6 train clips, 1 of 1 test clips", 2)
    for number in Catalogue(config["data"]).folds:
        store(Path(f"results/probabilities/imported/own/fold{number}.json"))
    Path(files[0]).unlink()
    assert state(config, "imported").state == "ready (stored)"


def test_a_concatenation_is_ready_when_its_parts_are(config):
    provide(config, "imagebind")
    found = state(config, "imagebind_wavlm")
    assert (found.state, found.blocks_run, found.clips) == ("folder missing", True, None)
    assert found.detail.startswith("wavlm: features.wavlm.train names ")
    provide(config, "wavlm")
    assert state(config, "imagebind_wavlm") == ("imagebind_wavlm", "ready", "joins imagebind, wavlm", 2)


def test_gemini_needs_consent_and_then_a_key(config, monkeypatch):
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_CLOUD_PROJECT", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    encoder = config["features"]["gemini"]
    found = state(config, "gemini")
    assert found[1:3] == (
        "consent missing",
        f"{LEAVES}; `snakemake gemini_estimate` prints the cost, features.gemini.confirm_upload: true agrees to both",
    )
    encoder["confirm_upload"] = True
    assert state(config, "gemini")[1:3] == ("key missing", "no key in the environment: set GEMINI_API_KEY or GOOGLE_API_KEY")
    encoder["platform"] = "vertex"
    assert state(config, "gemini").detail == (
        "no project in the environment: set GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION and the credentials of Google Cloud"
    )
    assert state(config, "gemini").blocks_run
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    assert state(config, "gemini") == ("gemini", "ready", LEAVES, 2)
    encoder["platform"] = "developer"
    monkeypatch.setenv("GEMINI_API_KEY", "secret")
    assert state(config, "gemini") == ("gemini", "ready", LEAVES, 2)
    assert "secret" not in report({**config, "encoders": ["gemini"]})


def test_a_program_that_is_not_there_is_named(config):
    config["features"]["hicmae_own"] |= {"command": None, "function": "nowhere.py:embed", "files": ["w.pth"]}
    assert state(config, "hicmae_own")[1:3] == ("program missing", "features.hicmae_own needs nowhere.py, w.pth; put what is not there into its place")


def test_without_test_clips_no_test_folder_is_needed(config):
    config["data"]["test_videos"] = []
    touch(Path("data", config["features"]["wavlm"]["train"], "A102_neu_sit2_ver1.npy"))
    assert state(config, "wavlm").detail == "files for 1 of 6 train clips, 0 of 0 test clips"


def test_a_gathered_store_is_ready_whatever_else_is_missing(config):
    store(Path("results/features/wavlm.json"))
    assert state(config, "wavlm") == ("wavlm", "ready (stored)", "", 2)


def test_without_a_data_set_clips_are_unknown(config):
    assert [readiness(name, config, None).clips for name in config["encoders"]] == [None] * 8


def test_all_that_is_missing_is_an_error_at_once(config):
    provide(config, "hicmae", "imagebind")
    with pytest.raises(BadInput) as refused:
        select_encoders(config, Catalogue(config["data"]))
    lines = str(refused.value).splitlines()
    assert lines[0] == "4 of 8 encoders cannot run; provide what they lack, leave them out of `encoders`, or set missing_encoders to skip:"
    assert [line.split(":")[:2] for line in lines[1:]] == [[f"  - {name}", " folder missing"] for name in ("wavlm", "hubert", "videomaev2", "openface3")]


def test_skip_leaves_out_what_is_missing(config):
    provide(config, "hicmae", "imagebind")
    config["missing_encoders"] = "skip"
    assert select_encoders(config, Catalogue(config["data"])) == ["wav2vec2", "prosody", "hicmae", "imagebind"]


def test_skip_does_not_leave_nothing(config):
    config |= {"missing_encoders": "skip", "encoders": list(PROVIDED)}
    with pytest.raises(BadInput, match=r"^6 of 6 encoders cannot run; provide what they lack, leave them out of `encoders`:\n"):
        select_encoders(config, Catalogue(config["data"]))


def test_nothing_missing_is_every_encoder(config):
    provide(config, *PROVIDED)
    assert select_encoders(config, Catalogue(config["data"])) == config["encoders"]


def test_a_checkpoint_that_is_one_file_is_named_with_it(config):
    assert state(config, "s4d")[1:3] == (
        "weights missing",
        "cyinen/S4D, 0.4 GB (features.s4d.model, file vit_base_voxceleb2+affectnet_100.pt): "
        "fetched by `snakemake weights`, or by the run itself where the hub can be reached; or name a local folder",
    )
    touch(Path("local/other.pt"))
    config["features"]["s4d"]["model"] = "local"
    assert state(config, "s4d")[1:3] == ("folder incomplete", "features.s4d.model names local, which holds no vit_base_voxceleb2+affectnet_100.pt")
    touch(Path("local/vit_base_voxceleb2+affectnet_100.pt"))
    assert state(config, "s4d")[1] == "ready"


def test_a_fine_tuned_encoder_is_stored_when_every_fold_is(config):
    for fold in (0, 1):
        store(Path(f"results/probabilities/videomae/own/fold{fold}.json"))
    assert state(config, "videomae").state == "weights missing"
    store(Path("results/probabilities/videomae/own/fold2.json"))
    assert state(config, "videomae").state == "ready (stored)"
