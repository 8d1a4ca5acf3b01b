import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import rel_entr, softmax

from blemore.classify.data import Dataset, Examples, align, examples
from blemore.classify.heads import train_members
from blemore.classify.mlp import _batches, build, predict_logits, train_mlp
from blemore.classify.saved import predict_head, save_head
from blemore.classify.training import train_and_predict
from blemore.data.labels import EMOTIONS
from blemore.fusion.thresholds import best_grid_score
from blemore.job import BadInput
from blemore.learning import epochs_of, mean_log_probability, save_history, soft_label_loss
from blemore.settings import SCRIPTS
from blemore.stores import Features
from blemore.torch_setup import deterministic

MLP = {
    "kind": "mlp",
    "hidden": [16],
    "batch_norm": True,
    "dropout": 0.0,
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "weight_decay": 0.001,
    "batch_size": 16,
    "epochs": 60,
    "patience": 20,
    "monitor": "loss",
    "precision": "float32",
}
LOGISTIC = {"kind": "logistic", "inverse_regularization": 1.0, "max_iterations": 1000}


@pytest.fixture(autouse=True)
def _one_thread():
    deterministic()
    yield
    torch.use_deterministic_algorithms(False)


def predicted(members):
    return mean_log_probability([member.log_probability for member in members])


def problem(n=90, width=8, seed=0):
    """Clips whose soft label is a linear function of their features."""
    generator = np.random.default_rng(seed)
    y = np.eye(6, dtype=np.float32)[generator.integers(0, 6, n)]
    blend = generator.random(n) < 0.3
    y[blend] = 0
    y[blend, 0], y[blend, 1] = 0.7, 0.3
    x = (y @ generator.normal(size=(6, width)) * 2 + generator.normal(0, 0.2, (n, width))).astype(np.float32)
    return x, y


def dataset(n=90, **changes):
    x, y = problem(n)
    part = np.array((["train"] * 4 + ["inner", "scored"]) * (n // 6), dtype="<U6")
    return Dataset([f"c{index}" for index in range(n)], x, y, np.ones(n, bool), part)._replace(**changes)


@pytest.mark.parametrize(("hidden", "batch_norm", "count"), [([1024, 512], True, 16), ([512], True, 9), ([512], False, 4), ([], False, 2)])
def test_layers_are_those_of_the_recipe(hidden, batch_norm, count):
    network = build(7168, hidden, batch_norm, 0.3)
    widths = [module.out_features for module in network if isinstance(module, torch.nn.Linear)]
    assert widths == [*hidden, 6]
    assert len(network.state_dict()) == count
    assert sum(isinstance(module, torch.nn.Dropout) for module in network) == len(hidden)


def test_the_loss_is_the_mean_divergence_from_the_soft_labels():
    logits = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    target = np.array([[0.7, 0, 0.3, 0, 0, 0], [0, 0, 0, 0, 0, 1], [0.5, 0.5, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]], np.float32)
    expected = rel_entr(target, softmax(logits, axis=1)).sum(1).mean()
    assert soft_label_loss(torch.from_numpy(logits), torch.from_numpy(target)).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("clips", "batch_size"), [(129, 128), (33, 32), (2, 128), (256, 128), (1, 4)])
def test_batches_hold_every_clip_once_and_are_nearly_equal(clips, batch_size):
    batches = list(_batches(clips, batch_size))
    sizes = [len(batch) for batch in batches]
    assert sorted(torch.cat(batches).tolist()) == list(range(clips))
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1


def split(x, y, train=60):
    return Examples(x[:train], y[:train], x[train:], y[train:])


def test_it_learns():
    data = split(*problem())
    trained = train_mlp(data, MLP, 1, best_grid_score)
    assert best_grid_score(softmax(predict_logits(trained.network, data.stop_x), axis=1), np.round(data.stop_y * 100).astype(np.int8)) > 0.8
    assert trained.train_loss[-1] < trained.train_loss[0] / 4


def test_the_epoch_with_the_lowest_stopping_loss_is_kept():
    data = split(*problem())
    trained = train_mlp(data, MLP, 1, best_grid_score)
    assert trained.best_epoch == 1 + int(np.argmin(trained.stop_loss))
    logits = torch.from_numpy(predict_logits(trained.network, data.stop_x))
    assert soft_label_loss(logits, torch.from_numpy(data.stop_y)).item() == pytest.approx(min(trained.stop_loss), rel=1e-5)


def test_the_epoch_with_the_highest_stopping_score_is_kept():
    trained = train_mlp(split(*problem()), MLP | {"monitor": "score", "patience": None, "epochs": 15}, 1, best_grid_score)
    assert trained.best_epoch == 1 + int(np.argmax(trained.stop_score))
    assert len(trained.stop_score) == 15


def test_patience_counts_epochs_without_a_better_one():
    x, y = problem()
    trained = train_mlp(split(x, np.random.default_rng(5).permutation(y)), MLP | {"patience": 3, "epochs": 200}, 1, best_grid_score)
    assert len(trained.stop_loss) == trained.best_epoch + 3


def test_without_stopping_clips_the_last_epoch_is_kept():
    x, y = problem()
    trained = train_mlp(split(x, y, train=90), MLP | {"epochs": 7}, 1, best_grid_score)
    assert (trained.best_epoch, len(trained.train_loss), trained.stop_loss) == (7, 7, [])


def test_a_fixed_number_of_epochs_never_looks_at_the_stopping_clips():
    assert train_mlp(split(*problem()), MLP, 1, lambda *_: 1 / 0, epochs=3).best_epoch == 3


@pytest.mark.parametrize("monitor", ["loss", "score"])
def test_the_epoch_of_the_scored_clips_is_kept_apart_and_changes_nothing_of_the_other(monitor):
    (x, y), recipe = problem(), MLP | {"epochs": 40, "patience": 3, "monitor": monitor}
    plain = Examples(x[:50], y[:50], x[50:70], np.random.default_rng(5).permutation(y[50:70]))
    alone = train_mlp(plain, recipe, 1, best_grid_score)
    both = train_mlp(plain._replace(scored_x=x[70:], scored_y=y[70:]), recipe, 1, best_grid_score)
    swapped = train_mlp(Examples(x[:50], y[:50], x[70:], y[70:]), recipe, 1, best_grid_score)
    assert (both.best_epoch, both.train_loss, both.stop_loss, both.stop_score) == (alone.best_epoch, alone.train_loss, alone.stop_loss, alone.stop_score)
    assert np.array_equal(predict_logits(both.network, x), predict_logits(alone.network, x))
    assert monitor == "score" or swapped.best_epoch > len(alone.train_loss)
    assert np.array_equal(predict_logits(both.used_scored_fold, x), predict_logits(swapped.network, x))
    assert alone.used_scored_fold is None


def test_divergence_is_one_sentence():
    data = split(problem()[0] * np.float32(np.nan), problem()[1])
    for epochs in (None, 3):
        with pytest.raises(BadInput, match=r"^training diverged: the network gives no finite numbers; lower learning_rate of the head \(now 0\.01\)\.$"):
            train_mlp(data, MLP, 1, best_grid_score, epochs)


def test_clips_of_one_emotion_are_no_problem_for_logistic_regression():
    x, y = problem()
    data = Examples(x, np.tile(np.eye(6, dtype=np.float32)[0], (len(x), 1)), x[:0], y[:0])
    with pytest.raises(BadInput) as refused:
        train_members(data, x, LOGISTIC, [1], best_grid_score)
    assert str(refused.value) == "all clips that train show one emotion alone, which a logistic head cannot learn; more actors, clips or folds are needed."


@pytest.mark.parametrize("recipe", [MLP, LOGISTIC, MLP | {"optimizer": "adam", "hidden": [], "batch_norm": False}])
def test_two_runs_are_identical(recipe):
    data = split(*problem())
    one, other = (train_members(data, data.stop_x, recipe, [1, 2], best_grid_score) for _ in range(2))
    assert np.array_equal(predicted(one), predicted(other))


def test_fewer_bits_in_training_learn_as_well_and_leave_float32():
    examples = split(*problem(300))
    exact, rough = (train_mlp(examples, MLP | {"precision": precision}, 1, best_grid_score) for precision in ("float32", "bfloat16"))
    assert {tensor.dtype for tensor in rough.network.parameters()} == {torch.float32}
    assert rough.stop_loss != exact.stop_loss
    assert min(rough.stop_loss) == pytest.approx(min(exact.stop_loss), rel=0.2)
    assert predict_logits(rough.network, examples.stop_x).dtype == np.float32


def test_another_seed_is_another_network():
    data = split(*problem())
    one, other = train_members(data, data.stop_x, MLP, [1, 2], best_grid_score)
    assert not np.array_equal(one.log_probability, other.log_probability)


@pytest.mark.parametrize("recipe", [MLP, LOGISTIC])
def test_probabilities_sum_to_one(recipe):
    data = split(*problem())
    logit = predicted(train_members(data, data.stop_x, recipe, [1, 2], best_grid_score))
    assert np.exp(logit).sum(1) == pytest.approx(1, abs=1e-5)


def test_what_is_averaged_over_seeds_is_the_softmax():
    data = split(*problem())
    members = train_members(data, data.stop_x, MLP, [1, 2, 3], best_grid_score)
    expected = np.mean([np.exp(member.log_probability) for member in members], axis=0)
    assert np.exp(predicted(members)) == pytest.approx(expected, abs=1e-6)


def test_a_blend_teaches_logistic_regression_by_its_percentages():
    x = np.zeros((40, 1), np.float32)
    y = np.tile(np.array([[0.7, 0, 0.3, 0, 0, 0]], np.float32), (40, 1))
    member = train_members(Examples(x, y, x[:0], y[:0]), x[:1], LOGISTIC, [1], best_grid_score)[0]
    assert np.exp(member.log_probability)[0] == pytest.approx([0.7, 0, 0.3, 0, 0, 0], abs=1e-3)


def sheet_and_features():
    rows = [("a", "train"), ("b", "train"), ("c", "train"), ("t", "test")]
    sheet = pd.DataFrame(rows, columns=["filename", "split"]).assign(
        emotion_1=["ang", "hap", "fea", ""],
        emotion_2=["", "sad", "", ""],
        emotion_1_salience=[np.nan, 70, np.nan, np.nan],
        emotion_2_salience=[np.nan, 30, np.nan, np.nan],
    )
    embedding = np.array([[3.0], [1.0], [np.nan]], np.float32)
    store = Features(embedding, ["t", "a", "b"], np.array([0, 7, 2], np.uint8), [""] * 3, np.zeros(3), np.ones(3), np.zeros(3, np.int64))
    return sheet, store


def test_features_are_aligned_by_id_and_never_by_position():
    sheet, store = sheet_and_features()
    data = align(sheet, store, np.array(["train"] * 3 + ["test"]))
    assert data.clip == ["a", "b", "c", "t"]
    assert data.x[[0, 3], 0].tolist() == [1, 3]
    assert data.usable.tolist() == [True, False, False, True]
    assert data.y[1].tolist() == pytest.approx([0, 0, 0, 0.7, 0.3, 0])
    assert np.isnan(data.y[3]).all()


def test_standardised_on_the_training_clips_alone():
    data = dataset()
    train, scaler = examples(data, "inner")
    assert train.train_x.mean(0) == pytest.approx(np.zeros(8), abs=1e-5)
    assert train.train_x.std(0) == pytest.approx(np.ones(8), abs=1e-5)
    assert scaler.mean_ == pytest.approx(data.x[data.part == "train"].mean(0), abs=1e-5)


def test_the_scored_fold_changes_nothing_that_is_learned():
    data = dataset()
    scored = data.part == "scored"
    other_x, other_y = data.x.copy(), data.y.copy()
    other_x[scored], other_y[scored] = 99, np.roll(other_y[scored], 1, axis=1)
    cfg = {"early_stopping": "inner", "seeds": [1]}
    one, members, _ = train_and_predict(data, cfg, MLP, best_grid_score, with_scored=True)
    other, others, _ = train_and_predict(data._replace(x=other_x, y=other_y), cfg, MLP, best_grid_score, with_scored=True)
    assert np.array_equal(one.probability[~scored], other.probability[~scored])
    assert members[0].history == others[0].history
    assert all(np.array_equal(values, others[0].parameters[name]) for name, values in members[0].parameters.items())


def test_the_papers_stopping_does_look_at_the_scored_fold():
    data = dataset(part=np.array((["train"] * 5 + ["scored"]) * 15, dtype="<U6"))
    train, _ = examples(data, "paper")
    assert (len(train.train_x), len(train.stop_x)) == (75, 15)


def test_clips_without_features_are_predicted_as_nan_and_teach_nothing():
    data = dataset()
    usable = data.usable.copy()
    usable[:12] = False
    rows, *_ = train_and_predict(data._replace(usable=usable), {"early_stopping": "inner", "seeds": [1]}, MLP, best_grid_score)
    assert np.isnan(rows.probability[:12]).all()
    assert np.isfinite(rows.probability[12:]).all()


def test_nothing_to_train_on_is_one_sentence():
    data = dataset(usable=np.zeros(90, bool))
    with pytest.raises(BadInput, match=r"^only 0 clips with features are left to train on; more folds, actors or readable clips are needed\.$"):
        examples(data, "inner")


@pytest.mark.parametrize("recipe", [MLP, LOGISTIC], ids=["mlp", "logistic"])
@pytest.mark.parametrize("emotions", [6, 4, 2])
def test_a_saved_head_predicts_the_same_also_where_emotions_were_absent(tmp_path, recipe, emotions):
    data = dataset()
    data = data._replace(y=np.eye(6, dtype=np.float32)[data.y.argmax(1) % emotions])
    rows, members, scaler = train_and_predict(data, {"early_stopping": "inner", "seeds": [4, 5]}, recipe, best_grid_score)
    save_head(tmp_path / "head.safetensors", members, scaler)
    assert np.array_equal(predict_head(tmp_path / "head.safetensors", recipe, data.x), rows.logit)
    assert rows.probability.shape == (90, len(EMOTIONS))


def test_a_saved_head_refuses_other_features_and_recipes(tmp_path):
    data = dataset()
    _, members, scaler = train_and_predict(data, {"early_stopping": "inner", "seeds": [1]}, MLP | {"epochs": 1}, best_grid_score)
    save_head(tmp_path / "head.safetensors", members, scaler)
    sentence = r"head\.safetensors takes 8 numbers per clip, but the features have 7; extract them by the settings that it was trained with\.$"
    with pytest.raises(BadInput, match=sentence):
        predict_head(tmp_path / "head.safetensors", MLP, data.x[:, :7])
    with pytest.raises(BadInput, match=r"head\.safetensors does not hold a head of this recipe \(.*\); train it again\.$"):
        predict_head(tmp_path / "head.safetensors", MLP | {"hidden": [8]}, data.x)
    (tmp_path / "head.safetensors").write_bytes(b"damaged")
    with pytest.raises(BadInput, match=r"head\.safetensors is damaged \(.*\); delete it and run again\.$"):
        predict_head(tmp_path / "head.safetensors", MLP, data.x)


def test_the_history_gives_the_spread_over_seeds(tmp_path):
    _, members, _ = train_and_predict(dataset(), {"early_stopping": "inner", "seeds": [1, 2, 3]}, MLP | {"epochs": 4}, best_grid_score)
    save_history(tmp_path / "history.json", {member.seed: member.history for member in members})
    history = json.loads((tmp_path / "history.json").read_text())
    best = [seed["stop_score"][seed["best_epoch"] - 1] for seed in history["seeds"].values()]
    assert history["stop_score_spread"] == pytest.approx(np.std(best, ddof=1))


def test_a_retrained_head_takes_the_median_number_of_epochs():
    histories = [{"seeds": {"1": {"best_epoch": epoch}, "2": {"best_epoch": 9}}} for epoch in (10, 90, 20)]
    assert epochs_of(histories) == {1: 20, 2: 9}


def test_large_arrays_that_are_freed_are_taken_again_without_page_faults():
    code = """
import resource, torch
from blemore.memory import keep_freed_memory
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
plain = min(faults() for _ in range(10))
keep_freed_memory()
print(plain, min(faults() for _ in range(10)))"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=SCRIPTS)
    plain, kept = map(int, done.stdout.split())
    assert kept < 100 < plain
