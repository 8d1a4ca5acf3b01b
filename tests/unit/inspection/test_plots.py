import cv2
import pytest
from unit.inspection.conftest import MADE

from blemore.inspection.opening import open_store
from blemore.inspection.plots import plot
from blemore.job import BadInput
from blemore.stores import OK, Features, write_features


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("features/w.zarr", {"heatmap": True}),
        ("features/w.zarr", {"clip": "A1_ang"}),
        ("probabilities/w/mlp/fold0.zarr", {}),
        ("media/track/A1.h5", {}),
        ("media/track/A1.h5", {"clip": "A1_mix"}),
        ("media/faces/A1.h5", {}),
        ("media/body/A1.h5", {"clip": "A1_mix"}),
        ("media/audio/A1", {}),
        ("media/audio/A1", {"clip": "A1_ang"}),
        ("heads/w/mlp/fold0.safetensors", {}),
    ],
)
def test_there_is_a_picture_of_every_kind(results, path, options):
    plot(open_store(results / path), results / "out.png", **options)
    picture = cv2.imread(str(results / "out.png"))
    assert picture.std() > 5


@pytest.fixture
def many(results):
    import numpy as np

    embedding = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    clips = ["A1_ang", "A1_mix", *(f"test_{number}" for number in range(7))]
    write_features(results / "features/many.zarr", Features(embedding, clips, np.full(9, OK, np.uint8), ["A1"] * 9, *np.zeros((2, 9)), np.ones(9, int)), MADE)
    return open_store(results / "features/many.zarr")


@pytest.mark.parametrize("colour", ["emotion", "actor", "split", "status"])
def test_a_projection_has_a_point_for_each_clip_and_a_name_for_each_colour(many, results, monkeypatch, colour):
    from blemore.inspection import plots

    drawn = []
    monkeypatch.setattr(plots, "_save", lambda figure, out: drawn.append(figure.axes[0]))
    plot(many, results / "out.png", colour=colour)
    assert sum(len(points.get_offsets()) for points in drawn[0].collections) == 9
    names = {text.get_text() for text in drawn[0].get_legend().get_texts()}
    assert (
        names
        == {
            "emotion": {"ang", "ang+hap", "unknown"},
            "actor": {"A1", "unknown"},
            "split": {"train", "unknown"},
            "status": {"ok"},
        }[colour]
    )


def test_what_cannot_be_drawn_is_one_sentence(many, results):
    history = results / "heads/w/mlp/fold0.json"
    history.unlink()
    for path, options, sentence in (
        ("weights/w.json", {}, "{} holds weights, of which there is no picture; leave out --plot."),
        ("features/w.zarr", {}, "{} has 2 usable clips, and a projection needs 3; leave out --plot, or add --heatmap."),
        ("media/track/A1.h5", {"clip": "A1_none"}, "{} has no frames of A1_none to draw; inspect it without --plot for the statuses, which say why."),
        ("media/audio/A1", {"clip": "A1_mix"}, "{} has no sound of A1_mix to draw; inspect it without --plot for the statuses, which say why."),
        ("media/faces/A1.h5", {"clip": "nobody"}, "{} has no clip nobody: known are A1_ang, A1_mix, A1_none."),
        ("features/many.zarr", {"sheet": "nowhere.csv"}, "nowhere.csv is no file; name a checked sheet, results/data/sheet.csv of a run."),
        ("heads/w/mlp/fold0.safetensors", {"clip": "A1_mix"}, "{} has no clip A1_mix: known are none."),
        (
            "heads/w/mlp/fold0.safetensors",
            {},
            f"{history} is not there, so there are no learning curves to draw; put it beside the head, or leave out --plot.",
        ),
    ):
        with pytest.raises(BadInput) as refused:
            plot(open_store(results / path), results / "out.png", **options)
        assert str(refused.value) == sentence.format(results / path)
    with pytest.raises(BadInput, match=r"out\.png cannot be written \(.*\); name a \.png file in a folder that exists\.$"):
        plot(many, results / "no_folder" / "out.png")
    with pytest.raises(BadInput, match=r"out\.png cannot be written; name a \.png file in a folder that exists\.$"):
        plot(open_store(results / "media/body/A1.h5"), results / "no_folder" / "out.png")
    with pytest.raises(BadInput, match=r"/out cannot be written; name a \.png file in a folder that exists\.$"):
        plot(open_store(results / "media/body/A1.h5"), results / "out")
    (results / "data/sheet.csv").unlink()
    with pytest.raises(BadInput, match=r"no sheet is beside .*many\.zarr, and --colour emotion needs one: give --sheet, or --colour actor\.$"):
        plot(many, results / "out.png")
