"""The same Snakefile on recordings of real people: what each file must give follows from the README beside them."""

import csv
import json
import subprocess
import sys

import pytest
import soundfile
import xarray as xr
from workflow.runs import REPOSITORY, TINY_HEAD, Run

from blemore.data.catalogue import COLUMNS

pytestmark = pytest.mark.workflow
ACTORS = 3  # each a shard and a fold
NO_FACE, NO_AUDIO = "no_face_wrong_frame_count", "upper_body_no_audio"
LABELS = [("ang", "", ""), ("disg", "sad", 70), ("fea", "", ""), ("ang", "hap", 30), ("neu", "", ""), ("fea", "sad", 50)]


def write_sheet(path, files):
    """Invented labels and folds; the files are dealt out to the actors."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, video in enumerate(files):
            first, second, salience = LABELS[number % len(LABELS)]
            shares = [salience, 100 - salience] if second else ["", ""]
            writer.writerow([video.stem, f"P{number % ACTORS}", "", int(bool(second)), first, 1, "", "", second, *shares, number % ACTORS])


@pytest.fixture(scope="module")
def run(media_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    files = sorted(path for kind in ("talkers", "cases") for path in (media_folder / kind).iterdir())
    (folder / "videos").mkdir()
    for file in files:
        (folder / "videos" / file.name).symlink_to(file)
    (folder / "videos" / "broken.mp4").write_bytes(files[0].read_bytes()[:100])
    write_sheet(folder / "sheet.csv", [*files, folder / "broken.mp4", folder / "gone.mp4"])
    weights = "import sys; from pathlib import Path; import generate; generate.write_tiny_wav2vec2(Path(sys.argv[1]), 1)"
    subprocess.run([sys.executable, "-c", weights, str(folder / "weights")], check=True, cwd=REPOSITORY / "demo", capture_output=True)
    config = {
        "data": {
            "root": "..",
            "train_sheet": "sheet.csv",
            "train_videos": ["videos"],
            "test_sheet": None,
            "test_videos": [],
            "max_failed_fraction": 0.2,
        },
        "features": {"wav2vec2": {"model": "../weights"}},
        "classify": {"heads": {"mlp_1024": TINY_HEAD, "mlp_512": TINY_HEAD}},
        "fusion": {"weights": {"picks": 5, "bags": 2}},
    }
    made = Run(folder / "run", config, preset="no_gpu")  # its provided features are not there, so it goes on without them
    made.snakemake("all", "media")
    return made


def statuses(run, kind):
    """Status of every clip in one stage, by clip."""
    manifests = [json.loads(path.read_text()) for path in sorted((run.folder / f"results/media/{kind}").glob("P?.json"))]
    return {clip: status for manifest in manifests for clip, status in manifest["status"].items()}


FAILED = {"broken": "decode_error", "gone": "missing"}


@pytest.mark.parametrize(
    ("kind", "other_than_ok"),
    [("track", {NO_FACE: "no_face"}), ("faces", {NO_FACE: "no_face"}), ("body", {}), ("clips", {}), ("audio", {NO_AUDIO: "no_audio"})],
)
def test_each_file_has_the_status_that_its_stage_gives_it(run, kind, other_than_ok):
    found = statuses(run, kind)
    assert len(found) == 14
    assert {clip: status for clip, status in found.items() if status != "ok"} == other_than_ok | FAILED


@pytest.mark.parametrize("encoder", ["wav2vec2", "prosody"])
def test_audio_encoders_embed_every_file_with_sound(run, encoder):
    dataset = xr.open_zarr(run.folder / f"results/features/{encoder}.zarr")
    found = dict(zip(dataset["clip"].values.tolist(), dataset["status"].values.tolist()))
    assert {clip: status for clip, status in found.items() if status} == {NO_AUDIO: 2, "broken": 4, "gone": 6}


@pytest.mark.parametrize(
    ("clip", "duration_s"),
    [("lrwp9a", 3.0), ("single_face", 2.4), ("face_then_none_vfr_late_audio", 6.4), ("several_faces_1080p", 4.2), ("rotated_270_mono", 3.0)],
)
def test_the_sound_is_as_long_as_the_video(run, clip, duration_s):
    path = next((run.folder / "results/media/audio").glob(f"*/{clip}.flac"))
    assert soundfile.info(path).duration == pytest.approx(duration_s, abs=0.05)


def test_a_late_track_begins_with_silence(run):
    samples, rate_hz = soundfile.read(next((run.folder / "results/media/audio").glob("*/face_then_none_vfr_late_audio.flac")))
    assert not samples[: int(2.40 * rate_hz)].any()
    assert samples[int(2.45 * rate_hz) :].any()


def test_it_ends_in_a_score(run):
    """A preset that needs no key, no gated weights and no GPU."""
    text = (run.folder / "results/report/scores.txt").read_text()
    assert {line.split()[0] for line in text.splitlines()[1:5]} == {"all", "prosody", "wav2vec2", "wav2vec2_mlp_512"}
    assert "Without hicmae, wavlm, hubert, imagebind, videomaev2, openface3." in text
    scores = json.loads((run.folder / "results/fusion/all/scores.json").read_text())
    assert scores["clips"]["scored"]["total"] == 14
    assert [fold["n_clips"] for fold in scores["protocols"]["nested"]["folds"]] == [5, 5, 4]


def test_too_many_failed_clips_stop_at_gathering_with_the_setting(run):
    run.configure(run.config | {"data": run.config["data"] | {"max_failed_fraction": 0.1}})
    said = run.snakemake("prosody", expect=1)
    assert "gather_features: 2 of 14 clips failed (1 decode_error, 1 missing; first: broken, gone), more than data.max_failed_fraction 0.1 allows" in said
