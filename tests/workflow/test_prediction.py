"""A trained system is exported, and predicts in a fresh folder: the test clips as the training run did, and any file at all."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from workflow.conftest import MINI
from workflow.runs import Run
from workflow.test_mini import merged

from blemore.data.emotions import EMOTIONS

pytestmark = pytest.mark.workflow
PROBABILITIES = [f"probability_{emotion}" for emotion in EMOTIONS]
PERCENT = [f"percent_{emotion}" for emotion in EMOTIONS]
# As shells, Snakemake, decoders and spreadsheets would not have them.
ODD_NAMES = ("my clip (1).mov", "Grüße 'ab'; rm -rf $HOME.mov", "{shard}.mov", "-rf.mov", "line\nbreak.mov", "%03d.mov")


def put_odd_files(folder, video):
    """Good videos under odd names, the same name in two folders and with two extensions, and files that are no videos."""
    for name in (*ODD_NAMES, "twin.mov", "twin.MP4", "deeper/twin.mov"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, folder / name)
    (folder / "empty.mp4").touch()
    (folder / "notes.mov").write_text("No video at all.\n")


def test_an_exported_system_predicts_elsewhere_what_the_run_predicted(mini, tmp_path, media_folder):
    mini.configure(merged(MINI, {"fusion": {"weights": {"method": "uniform"}}}))  # so that every member counts
    mini.snakemake("results/system/all")
    data, new = mini.folder.parent / "data", tmp_path / "elsewhere" / "new"
    shutil.move(mini.folder / "results/system/all", tmp_path / "elsewhere" / "system")
    put_odd_files(new, data / "test_videos" / "test_0001.mov")
    places = {"wav2vec2": str(data / "weights/wav2vec2_tiny")}
    places["imagebind"] = str(data / "pre_extracted_test_data/ImageBind_test")
    videos = [str(data / "test_videos"), str(media_folder / "talkers"), "../new", "../new/deep*"]
    run = Run(tmp_path / "elsewhere" / "run", {"data": {"buckets": 1}, "predict": {"system": "../system", "videos": videos, "places": places}})
    run.snakemake()

    found = pd.read_csv(run.folder / "results/predictions/predictions.csv").set_index("clip")
    expected = pd.read_csv(mini.folder / "results/fusion/all/test_decisions.csv").set_index("clip")
    # A matrix product of three rows may round otherwise than one of twelve, by one bit of float32.
    np.testing.assert_allclose(found.loc[expected.index, PROBABILITIES], expected[PROBABILITIES], rtol=0, atol=1e-6)
    assert np.array_equal(found.loc[expected.index, PERCENT], expected[[f"decision_{emotion}" for emotion in EMOTIONS]])
    assert set(found.loc[expected.index, "encoders_used"]) == {3}

    talkers = sorted(path.name for path in (media_folder / "talkers").iterdir() if path.suffix == ".mpg")
    odd = ["../new/" + name for name in (*ODD_NAMES, "twin.mov", "twin.MP4", "empty.mp4", "notes.mov")]
    assert len(found) == len(expected) + len(talkers) + len(odd) + 1 == found.index.nunique()
    assert {*odd, "../new/deeper/twin.mov"} < set(found["file"])
    by_file = found.reset_index().set_index("file")
    bad = by_file.loc[["../new/empty.mp4", "../new/notes.mov"]]
    assert bad["status_wav2vec2"].tolist() == ["decode_error"] * 2
    assert bad["encoders_used"].tolist() == [0, 0]
    assert bad[[*PROBABILITIES, "decision", "confidence"]].isna().all(axis=None)
    good = by_file.drop(bad.index)
    assert set(good["status_wav2vec2"]) == {"ok"}
    assert good[PROBABILITIES].sum(axis=1).to_numpy() == pytest.approx(1)
    copies = good.loc[[file for file in odd if file in good.index], PROBABILITIES].to_numpy()
    assert (copies == copies[0]).all()

    said = json.loads((run.folder / "results/predictions/predictions.json").read_text())
    assert [clip["file"] for clip in said["clips"]] == found["file"].tolist()
    assert {path.parent.name for path in tmp_path.glob("elsewhere/*")} == {"elsewhere"}
    run.configure({"predict": {"system": "../system", "videos": ["../nowhere"]}})
    assert "where there is no video" in run.snakemake("check")
