import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.fusion.cases import label_row, random_probabilities, random_truth

from blemore.fusion.metrics import score
from blemore.fusion.protocols import OutOfFold, certainty, evaluate_all, measure, official_test_fusion, trivial_baselines
from blemore.fusion.thresholds import search_grid
from blemore.job import BadInput

SETTINGS = {"weights": {"method": "greedy", "picks": 5, "bags": 2, "seed": 1}, "thresholds": {"choice": "first"}}


def out_of_fold(seed, clips=120, folds=3, skills=(1.0, 0.5, 0.0)):
    rng = np.random.default_rng(seed)
    truth = random_truth(rng, clips)
    actor = np.concatenate([np.arange(2 * folds), rng.integers(2 * folds, size=clips - 2 * folds)])
    probabilities = np.array([random_probabilities(rng, truth, skill) for skill in skills])
    return OutOfFold(probabilities, truth, actor % folds, np.char.add("A", actor.astype(str)))


@pytest.fixture(scope="module")
def data():
    return out_of_fold(0)


@pytest.fixture(scope="module")
def evaluations(data):
    return evaluate_all(data, SETTINGS, epochs_on_scored_fold=False)[0]


def chosen_for(data, fold, name="nested"):
    row = next(row for row in evaluate_all(data, SETTINGS, False)[0][name].block["folds"] if row["fold"] == fold)
    return row["alpha"], row["beta"], row["weights"]


@settings(max_examples=10)
@given(st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_nested_never_sees_the_fold_that_it_scores(fold, seed):
    data = out_of_fold(0)
    rng = np.random.default_rng(seed)
    scored = data.fold == fold
    changed = data._replace(truth=data.truth.copy(), probabilities=data.probabilities.copy())
    changed.truth[scored] = random_truth(rng, scored.sum())
    changed.probabilities[:, scored] = rng.dirichlet(np.ones(6), (3, scored.sum()))
    assert chosen_for(changed, fold) == chosen_for(data, fold)


def test_paper_sees_only_the_fold_that_it_scores(data):
    other = data._replace(truth=np.where((data.fold == 1)[:, np.newaxis], data.truth, random_truth(np.random.default_rng(9), 120)))
    assert chosen_for(other, 1, "paper") == chosen_for(data, 1, "paper")
    assert chosen_for(other, 0, "paper") != chosen_for(data, 0, "paper")


def test_pooled_chooses_once(evaluations):
    rows = evaluations["pooled"].block["folds"]
    assert len({(row["alpha"], row["beta"], *row["weights"]) for row in rows}) == 1


def test_what_is_tuned_on_the_scored_fold_says_so(data, evaluations):
    assert [name for name, evaluation in evaluations.items() if not evaluation.block["uses_scored_fold"]] == ["nested"]
    assert list(evaluations) == ["paper", "official_validation", "official_test", "pooled", "nested"]
    stopped_on_it = evaluate_all(data, SETTINGS, epochs_on_scored_fold=True)[0]
    assert all(evaluation.block["uses_scored_fold"] for evaluation in stopped_on_it.values())


def test_epochs_of_the_scored_fold_reach_the_tuned_protocols_alone(data, evaluations):
    tuned = out_of_fold(7).probabilities
    found, fusion = evaluate_all(data, SETTINGS, False, tuned)
    of_tuned = evaluate_all(data._replace(probabilities=tuned), SETTINGS, False)[0]
    for name in ("paper", "official_validation", "official_test"):
        assert found[name].block == of_tuned[name].block | {"epochs_on_scored_fold": True}
        assert np.array_equal(found[name].fused, of_tuned[name].fused)
    for name in ("pooled", "nested"):
        assert found[name].block == evaluations[name].block
        assert np.array_equal(found[name].decisions, evaluations[name].decisions)
    assert fusion.weights.tolist() == evaluations["pooled"].block["folds"][0]["weights"]


def test_tuning_on_what_is_scored_says_more():
    gaps = []
    for seed in range(8):
        found = evaluate_all(out_of_fold(seed, clips=90), SETTINGS, False)[0]
        gaps.append(found["paper"].block["mean"]["Score"] - found["nested"].block["mean"]["Score"])
    assert min(gaps) >= 0
    assert np.mean(gaps) > 0.02


@pytest.mark.parametrize("name", ["paper", "official_validation", "pooled", "nested"])
def test_block_by_recomputing_it(data, evaluations, name):
    block, _, decisions, *_ = evaluations[name]
    by_fold = [score(decisions[data.fold == fold], data.truth[data.fold == fold]) for fold in range(3)]
    assert [row["Score"] for row in block["folds"]] == by_fold
    assert block["mean"]["Score"] == pytest.approx(sum(by_fold) / 3)
    assert block["std"]["Score"] == pytest.approx((sum((value - sum(by_fold) / 3) ** 2 for value in by_fold) / 2) ** 0.5)
    assert block["pooled"] == measure(decisions, data.truth)
    assert [row["n_clips"] for row in block["folds"]] == np.bincount(data.fold).tolist()
    assert block["n_clips"] == 120


def test_paper_figure_of_one_encoder_is_the_mean_of_the_folds_grid_maxima(data):
    single = data._replace(probabilities=data.probabilities[:1])
    block = evaluate_all(single, SETTINGS, False)[0]["paper"].block
    expected = [search_grid(single.probabilities[0, single.fold == fold], single.truth[single.fold == fold]).score for fold in range(3)]
    assert [row["Score"] for row in block["folds"]] == expected


def test_new_clips_are_decided_by_what_was_chosen_on_all_folds(data, evaluations):
    fusion = evaluate_all(data, SETTINGS, False)[1]
    fused, decisions = fusion.decide(data.probabilities)
    assert np.array_equal(decisions, evaluations["pooled"].decisions)
    assert np.array_equal(fused, evaluations["pooled"].fused)


def test_a_clip_that_no_encoder_has_stays_in_the_denominator(data):
    holed = data._replace(probabilities=data.probabilities.copy())
    holed.probabilities[:, 5] = np.nan
    evaluation = evaluate_all(holed, SETTINGS, False)[0]["nested"]
    assert evaluation.block["n_clips"] == 120
    assert evaluation.fused[5] == pytest.approx([1 / 6] * 6)


def test_one_fold_is_refused(data):
    with pytest.raises(BadInput, match=r"^the sheet has only the fold \[0\], which leaves no clips to choose weights on; give it two folds at least\.$"):
        evaluate_all(data.of(data.fold == 0), SETTINGS, False)


def test_trivial_baselines_of_the_official_test_counts():
    counts = dict(zip(range(6), (44, 44, 44, 44, 44, 40))) | dict.fromkeys(range(6, 16), 33) | {9: 35, 12: 35}
    rows = [label_row(kind, ratio % 3) for kind, count in counts.items() for ratio in range(count)]
    found = trivial_baselines(np.array(rows, dtype=np.int8))
    assert len(rows) == 594
    assert found["single"]["ACC_P"] == 44 / 594
    assert found["single"]["ACC_S"] == 0
    assert found["pair"]["ACC_P"] == 35 / 594
    assert found["pair_with_ratio"]["ACC_S"] == 12 / 334
    assert found["single"]["decision"] == {"ang": 100}
    assert found["pair_with_ratio"]["Score"] == pytest.approx((35 / 594 + 12 / 334) / 2)


def test_trivial_baselines_without_a_blend():
    assert list(trivial_baselines(np.array([label_row(5, 0)], dtype=np.int8))) == ["single"]


def test_official_test_scores_the_other_folds_with_the_best_ones_thresholds(data, evaluations):
    official, best = evaluations["official_validation"].block["folds"], evaluations["official_test"].block["best_fold"]
    assert max(official, key=lambda row: row["Score"])["fold"] == best
    rows = evaluations["official_test"].block["folds"]
    assert [row["fold"] for row in rows] == [fold for fold in range(3) if fold != best]
    assert {(row["alpha"], row["beta"]) for row in rows} == {(official[best]["alpha"], official[best]["beta"])}
    assert evaluations["official_test"].block["n_clips"] == (data.fold != best).sum()
    assert official_test_fusion(evaluations, 3).thresholds.alpha == official[best]["alpha"]


def test_certainty_names_every_protocol_and_every_pair(data, evaluations):
    intervals, differences = certainty(evaluations, data, resamples=200, seed=1)
    assert intervals["nested"]["Score"][0] < evaluations["nested"].block["pooled"]["Score"] < intervals["nested"]["Score"][1]
    assert len({(row["first"], row["second"]) for row in differences}) == 10
    assert certainty(evaluations, data, resamples=200, seed=1) == (intervals, differences)


def test_temperatures_and_logarithms_are_chosen_with_the_rest(data):
    chosen = evaluate_all(data, SETTINGS | {"average": "log_probabilities", "calibration": "temperature"}, False)[1]
    assert chosen.temperatures.shape == (3,)
    assert chosen.average == "log_probabilities"
