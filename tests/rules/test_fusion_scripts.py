"""The scripts of the fusion stage, called with the stores and the sheet of a small data set."""

import csv
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from unit.fusion.cases import random_probabilities, random_truth

import fuse
import list_submissions
import write_submission
import write_tables
from blemore.data.labels import EMOTIONS
from blemore.fusion.metrics import presence_accuracy, salience_accuracy
from blemore.fusion.thresholds import search_grid
from blemore.job import BadInput
from blemore.settings import sha256
from blemore.stores import Features, Probabilities, read_probabilities, write_features, write_probabilities

OFFICIAL = ["filename", "video_id", "gender", "mix", "emotion_1", "version", "intensity_level", "situation", "emotion_2"]
COLUMNS = [*OFFICIAL, "emotion_1_salience", "emotion_2_salience", "fold", "split", "shard", "video"]
MEMBERS = [["wav2vec2", "mlp_1024"], ["hicmae", "logistic"]]
FOLDS = (0, 1, 2)
CFG = {"resamples": {"count": 100, "seed": 1}, "thresholds": {"choice": "first"}, "weights": {"method": "greedy", "picks": 5, "bags": 2, "seed": 1}}


class DataSet:
    """Sixty training clips of six actors in three folds, one clip that only trains, four test clips; stores of two encoders."""

    def __init__(self, folder: Path, test_labels: bool = False, test_clips: int = 4, missing: tuple[str, ...] = ()) -> None:
        rng = np.random.default_rng(0)
        self.folder, self.truth = folder, random_truth(rng, 61 + test_clips)
        self.clips = [f"A{index % 6}_clip_{index:02}" for index in range(60)] + ["B9_more"] + [f"test_{index:04}" for index in range(1, test_clips + 1)]
        self.folds = [index % 3 for index in range(60)] + [None] * (1 + test_clips)
        self.sheet, labelled = folder / "sheet.csv", len(self.clips) if test_labels else 61
        self.write_sheet(labelled)
        self.probability = np.array([[random_probabilities(rng, self.truth, skill) for _ in (*FOLDS, "retrained")] for skill in (1.5, 0.5)], np.float32)
        self.probability[0][:, [self.clips.index(clip) for clip in missing]] = np.nan
        self.stores = [self.write_store(m, k, f"fold{k}") for m in (0, 1) for k in FOLDS]
        self.durations = self.write_durations()
        self.retrained = [self.write_store(m, 3, "retrained") for m in (0, 1)]

    def write_sheet(self, labelled: int) -> None:
        with open(self.sheet, "w", newline="") as file:
            table = csv.DictWriter(file, COLUMNS, restval="")
            table.writeheader()
            for index, (clip, fold) in enumerate(zip(self.clips, self.folds, strict=True)):
                split = "train" if index < 60 else "train_only" if index == 60 else "test"
                row = {"filename": clip, "split": split, "video": f"{clip}.mov", "video_id": "" if split == "test" else clip[:2]}
                table.writerow(row | ({} if fold is None else {"fold": fold}) | (self.label(index) if index < labelled else {}))

    def label(self, index: int) -> dict:
        percent = {emotion: int(value) for emotion, value in zip(EMOTIONS, self.truth[index], strict=True) if value}
        if len(percent) == 1:
            return {"mix": 0, "emotion_1": next(iter(percent))}
        (first, high), (second, low) = percent.items()
        return {"mix": 1, "emotion_1": first, "emotion_2": second, "emotion_1_salience": high, "emotion_2_salience": low}

    def write_store(self, member: int, model: int, name: str) -> str:
        """Rows shuffled: whoever aligns by position fails."""
        path = self.folder / "probabilities" / "/".join(MEMBERS[member]) / f"{name}.zarr"
        path.parent.mkdir(parents=True, exist_ok=True)
        order = np.random.default_rng(member * 10 + model).permutation(len(self.clips))
        split = ["test" if index > 60 else "scored" if self.folds[index] == model else "train" for index in order]
        probability = self.probability[member][model][order]
        write_probabilities(path, Probabilities(probability, [self.clips[index] for index in order], split, np.log(probability)), EMOTIONS, {})
        return str(path)

    def write_durations(self) -> str:
        """A feature store of all clips but the last, each a second longer than the one before."""
        n, path = len(self.clips) - 1, self.folder / "wav2vec2.zarr"
        zeros = np.zeros(n)
        write_features(
            path,
            Features(
                np.zeros((n, 1), np.float32), self.clips[:n], zeros.astype(np.uint8), [""] * n, zeros, zeros + np.arange(1, n + 1), zeros.astype(np.int64)
            ),
            {},
        )
        return str(path)

    def own_fold(self, member: int) -> np.ndarray:
        return np.array([self.probability[member][fold][index] for index, fold in enumerate(self.folds[:60])])


FILES = {"decisions": "decisions.csv", "test_decisions": "test_decisions.csv", "scores": "scores.json"}


class Named(dict):
    """Files by name, as Snakemake gives them."""

    __getattr__ = dict.__getitem__


def job(folder: Path, data: DataSet, members=(0, 1), ensemble="both", **classify):
    folder.mkdir(exist_ok=True)
    return SimpleNamespace(
        input=SimpleNamespace(
            sheet=str(data.sheet),
            features=[data.durations],
            stores=[data.stores[3 * member + fold] for member in members for fold in FOLDS],
            retrained=data.retrained if classify.get("test_prediction") == "retrained" else [],
        ),
        output=SimpleNamespace(**{name: str(folder / file) for name, file in FILES.items()}),
        params=SimpleNamespace(
            cfg=CFG, classify={"early_stopping": "inner", "test_prediction": "mean"} | classify, code={}, members=[MEMBERS[member] for member in members]
        ),
        wildcards=SimpleNamespace(ensemble=ensemble),
    )


def run_fuse(folder: Path, data: DataSet, **options):
    """scores.json, decisions.csv and test_decisions.csv."""
    snakemake = job(folder, data, **options)
    fuse.main(snakemake)
    read = [pd.read_csv(path) for path in (snakemake.output.decisions, snakemake.output.test_decisions)]
    return json.loads(Path(snakemake.output.scores).read_text()), *read


def percent(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[[f"{name}_{emotion}" for emotion in EMOTIONS]].to_numpy()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return DataSet(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def fused(data, tmp_path_factory):
    return run_fuse(tmp_path_factory.mktemp("fused"), data)


def test_a_single_encoder_scores_what_its_own_folds_say(data, tmp_path):
    scores, decisions, _ = run_fuse(tmp_path, data, members=[0])
    probabilities, fold = data.own_fold(0), np.array(data.folds[:60])
    expected = [search_grid(probabilities[fold == k], data.truth[:60][fold == k]) for k in FOLDS]
    assert [(row["alpha"], row["beta"], row["Score"]) for row in scores["protocols"]["paper"]["folds"]] == [(e.alpha, e.beta, e.score) for e in expected]
    assert np.array_equal(percent(decisions, "probability"), probabilities.astype(np.float64))


def test_scores_follow_from_the_decisions(data, fused):
    scores, decisions, _ = fused
    assert decisions["clip"].tolist() == data.clips[:60]
    assert decisions["fold"].tolist() == data.folds[:60]
    assert decisions["actor"].tolist() == [clip[:2] for clip in data.clips[:60]]
    assert np.array_equal(percent(decisions, "truth"), data.truth[:60])
    for name in ("nested", "paper"):
        for row in scores["protocols"][name]["folds"]:
            of_fold = decisions[decisions["fold"] == row["fold"]]
            assert row["ACC_P"] == presence_accuracy(percent(of_fold, name), percent(of_fold, "truth"))
            assert row["ACC_S"] == salience_accuracy(percent(of_fold, name), percent(of_fold, "truth"))
            assert row["n_clips"] == 20


def test_scores_say_what_they_are(fused):
    scores = fused[0]
    assert scores["ensemble"] == "both"
    assert scores["members"] == ["wav2vec2/mlp_1024", "hicmae/logistic"]
    assert list(scores["protocols"]) == ["nested", "official_test", "official_validation", "paper", "pooled"]
    assert [name for name, block in scores["protocols"].items() if not block["uses_scored_fold"]] == ["nested"]
    assert scores["protocols"]["pooled"]["folds"][0]["weights"] == scores["chosen"]["weights"]
    assert scores["baselines"]["single"]["ACC_P"] == np.unique(data_singles(), return_counts=True)[1].max() / 60
    assert scores["clips"]["scored"] == {"total": 60, "missing": {"wav2vec2/mlp_1024": 0, "hicmae/logistic": 0}, "guessed": 0}
    assert set(scores["provenance"]["inputs"]) == {f"{'/'.join(member)}/fold{fold}" for member in MEMBERS for fold in FOLDS}


def test_the_analysis_agrees_with_the_protocols(fused):
    scores = fused[0]
    nested = scores["protocols"]["nested"]["pooled"]["Score"]
    plain = [row for row in scores["decoders"] if (row["decoder"], row["actor_centred"], row["protocol"]) == ("thresholds", False, "nested")]
    assert [row["Score"] for row in plain] == [nested]
    assert [row["Score"] + row["adds"]["difference"] for row in scores["left_out"]] == pytest.approx([nested] * 2)
    assert [row["member"] for row in scores["left_out"]] == scores["members"]
    assert sum(row["n_clips"] for row in scores["groups"] if row["kind"] == "actor") == 60
    assert [row["n_clips"] for row in scores["groups"] if row["kind"] == "duration"] == [15] * 4
    assert scores["sensitivity"]["folds"] == list(FOLDS)
    assert scores["fine_tuned_share"] == 0


def data_singles():
    truth = random_truth(np.random.default_rng(0), 65)[:60]
    return truth[truth.max(axis=1) == 100].argmax(axis=1)


def test_test_clips_are_fused_from_the_mean_over_folds(data, fused):
    scores, _, table = fused
    weights = scores["chosen"]["weights"]
    expected = sum(weight * data.probability[member][:3, 61:].astype(np.float64).mean(axis=0) for member, weight in enumerate(weights))
    assert table["video"].tolist() == [f"test_000{number}.mov" for number in (1, 2, 3, 4)]
    assert percent(table, "probability") == pytest.approx(expected)
    assert percent(table, "decision").sum(axis=1).tolist() == [100] * 4
    assert scores["test"] is None


def test_test_clips_are_fused_from_the_retrained_head_where_one_is_asked_for(data, tmp_path):
    scores, _, table = run_fuse(tmp_path, data, test_prediction="retrained")
    expected = sum(weight * data.probability[member][3, 61:] for member, weight in enumerate(scores["chosen"]["weights"]))
    assert percent(table, "probability") == pytest.approx(expected)
    assert "hicmae/logistic/test" in scores["provenance"]["inputs"]


def test_labels_of_test_clips_are_scored_and_choose_nothing(data, fused, tmp_path):
    labelled = DataSet(tmp_path, test_labels=True)
    scores, decisions, table = run_fuse(tmp_path / "out", labelled)
    assert scores["test"]["n_clips"] == 4
    assert scores["test"]["ACC_P"] == presence_accuracy(percent(table, "decision"), data.truth[61:])
    assert scores["official_test"]["n_clips"] == 4
    changed = {"test", "official_test", "sha256"}
    assert {name: value for name, value in scores.items() if name not in changed} == {name: value for name, value in fused[0].items() if name not in changed}
    assert fused[0]["test"] is fused[0]["official_test"] is None
    pd.testing.assert_frame_equal(decisions, fused[1])
    pd.testing.assert_frame_equal(table, fused[2])


def test_epochs_chosen_on_the_scored_fold_are_told(data, tmp_path):
    scores = run_fuse(tmp_path, data, early_stopping="paper")[0]
    assert scores["epochs_chosen_on_scored_fold"]
    assert scores["protocols"]["nested"]["uses_scored_fold"]


def test_only_the_tuned_protocols_read_predictions_that_used_the_scored_fold(data, fused, tmp_path):
    """One member has some; the other stays as it is, and is named."""
    tuned = DataSet(tmp_path)
    sharp = np.array([random_probabilities(np.random.default_rng(3), tuned.truth, 4.0) for _ in FOLDS], np.float32)
    for fold in FOLDS:
        path = tuned.stores[fold]
        rows = read_probabilities(path)
        used = np.array([sharp[fold][tuned.clips.index(clip)] for clip in rows.clip], np.float32)
        used[np.array(rows.split) != "scored"] = np.nan
        write_probabilities(path, rows, EMOTIONS, {}, used_scored_fold=used)
    scores, _, test_decisions = run_fuse(tmp_path / "out", tuned)
    assert scores["without_tuned_epochs"] == ["hicmae/logistic"]
    assert [name for name, block in scores["protocols"].items() if block["epochs_on_scored_fold"]] == ["official_test", "official_validation", "paper"]
    for name in ("nested", "pooled"):
        assert scores["protocols"][name] == fused[0]["protocols"][name]
    assert all(scores[name] == fused[0][name] for name in ("chosen", "groups", "left_out", "sensitivity", "test"))
    assert scores["protocols"]["paper"]["mean"]["Score"] > fused[0]["protocols"]["paper"]["mean"]["Score"]
    plain = {(row["protocol"], row["decoder"], row["actor_centred"]): row["Score"] for row in scores["decoders"]}
    assert plain["paper", "thresholds", False] == scores["protocols"]["paper"]["pooled"]["Score"]
    of_test = [name for name in test_decisions if not name.startswith("official_test")]
    pd.testing.assert_frame_equal(test_decisions[of_test], fused[2][of_test])


def test_clips_without_an_encoder_are_counted_and_fused_from_the_others(tmp_path):
    data = DataSet(tmp_path, missing=("A0_clip_00", "A1_clip_01", "test_0002"))
    scores, decisions, table = run_fuse(tmp_path / "out", data)
    assert scores["clips"]["scored"]["missing"] == {"wav2vec2/mlp_1024": 2, "hicmae/logistic": 0}
    assert scores["clips"]["test"] == {"total": 4, "missing": {"wav2vec2/mlp_1024": 1, "hicmae/logistic": 0}, "guessed": 0}
    assert percent(decisions, "probability")[:2] == pytest.approx(data.own_fold(1)[:2])
    assert percent(table, "probability")[1] == pytest.approx(data.probability[1][:3, 62].mean(axis=0))


def test_the_same_stores_give_the_same_bytes(data, tmp_path):
    for folder in ("first", "second"):
        run_fuse(tmp_path / folder, data)
    files = sorted(file.name for file in (tmp_path / "first").iterdir())
    assert files == ["decisions.csv", "scores.json", "test_decisions.csv"]
    assert all((tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes() for name in files)


def test_without_test_clips_their_table_is_a_header(tmp_path):
    data = DataSet(tmp_path, test_clips=0)
    scores, _, table = run_fuse(tmp_path / "out", data)
    assert table.empty
    assert list(table)[:3] == ["clip", "video", "probability_ang"]
    assert scores["clips"]["test"]["total"] == 0
    with pytest.raises(BadInput, match=r"^there are no test clips to submit; set data\.test_videos or data\.test_sheet to where they are\.$"):
        submit(tmp_path / "out", data)


def test_stores_of_another_sheet_are_refused(data, tmp_path):
    other = DataSet(tmp_path)
    lines = other.sheet.read_text().splitlines(keepends=True)
    other.sheet.write_text("".join(line for line in lines if "clip_07" not in line))
    with pytest.raises(BadInput, match="A1_clip_07 being in the store alone"):
        run_fuse(tmp_path / "out", other)


def test_tables_follow_from_the_scores_and_decisions_of_all_ensembles(data, fused, tmp_path):
    alone = run_fuse(tmp_path / "alone", data, members=[0], ensemble="wav2vec2")[0]
    run_fuse(tmp_path / "both", data)
    names = [f"table_{number}_{form}" for number in (1, 2, 3) for form in ("csv", "tex", "html")]
    snakemake = SimpleNamespace(
        input=SimpleNamespace(
            **{kind: [str(tmp_path / folder / file) for folder in ("both", "alone")] for kind, file in FILES.items() if kind != "test_decisions"},
            submitted=[str(tmp_path / "submissions.csv")],
        ),
        output=Named({name: str(tmp_path / name) for name in [*names, "differences"]}),
        params=SimpleNamespace(cfg={"resamples": CFG["resamples"]}),
    )
    (tmp_path / "submissions.csv").write_text("ensemble,protocol,zip_sha256,current,Score\nboth,pooled,ab,yes,.31\nboth,official_test,cd,yes,\n")
    write_tables.main(snakemake)
    table = pd.read_csv(tmp_path / "table_1_csv").set_index("system")
    assert table.loc["Wav2Vec2 frozen+MLP-1024", "here, nested Score"] == alone["protocols"]["nested"]["mean"]["Score"]
    fusion = pd.read_csv(tmp_path / "table_2_csv").set_index("system")
    assert fusion["here, by the server Score"].dropna().to_dict() == {"both, pooled": 0.31}
    differences = pd.read_csv(tmp_path / "differences").set_index("protocol")
    assert (differences["first"].unique().tolist(), differences["second"].unique().tolist()) == (["both"], ["wav2vec2"])
    expected = fused[0]["protocols"]["nested"]["pooled"]["Score"] - alone["protocols"]["nested"]["pooled"]["Score"]
    assert differences.loc["nested", "difference"] == pytest.approx(expected)
    assert not differences.loc["nested", "uses_scored_fold"]
    assert all((tmp_path / name).stat().st_size for name in names)


def submit(folder: Path, data: DataSet) -> dict[str, str]:
    zips = {protocol: str(folder / f"{protocol}.zip") for protocol in ("pooled", "official_test")}
    inputs = SimpleNamespace(decisions=str(folder / "test_decisions.csv"), sheet=str(data.sheet))
    write_submission.main(SimpleNamespace(input=inputs, output=SimpleNamespace(**zips)))
    return zips


def test_a_submission_holds_exactly_the_test_clips_as_its_protocol_decides_them_and_is_listed(data, tmp_path):
    scores, _, table = run_fuse(tmp_path / "both", data)
    zips = submit(tmp_path / "both", data)
    for protocol, columns in (("pooled", "decision"), ("official_test", "official_test")):
        with zipfile.ZipFile(zips[protocol]) as archive:
            predictions = json.loads(archive.read("submission_template.json"))["predictions"]
        decided = {video: {e: p for e, p in zip(EMOTIONS, row) if p} for video, row in zip(table["video"], percent(table, columns).tolist())}
        assert {video: {entry["emotion"]: entry["salience"] for entry in entries} for video, entries in predictions.items()} == decided
    inputs = SimpleNamespace(zips=list(zips.values()), scores=[str(tmp_path / "both" / "scores.json")])
    output = SimpleNamespace(list=str(tmp_path / "submissions.csv"))
    list_submissions.main(SimpleNamespace(input=inputs, output=output))
    rows = pd.read_csv(output.list)
    assert rows["protocol"].tolist() == list(zips)
    assert rows["zip_sha256"].tolist() == [sha256(Path(path)) for path in zips.values()]
    assert rows["clips"].tolist() == [scores["clips"]["test"]["total"]] * 2
    assert rows.loc[0, ["alpha", "beta"]].tolist() == [scores["chosen"]["alpha"], scores["chosen"]["beta"]]
    assert json.loads(rows.loc[0, "weights"]) == dict(zip(scores["members"], scores["chosen"]["weights"]))
    assert json.loads(rows.loc[1, "weights"]) == dict.fromkeys(scores["members"], 1 / len(scores["members"]))
    assert rows["Score"].isna().all()


def test_decisions_of_other_clips_than_the_sheets_are_refused(data, tmp_path):
    run_fuse(tmp_path, data)
    table = tmp_path / "test_decisions.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(BadInput, match=r"test_0004\.mov is missing"):
        submit(tmp_path, data)
