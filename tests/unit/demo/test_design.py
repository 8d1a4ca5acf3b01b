import re
from collections import Counter
from dataclasses import replace

import design
import numpy as np
import pytest
from design import CLIP, EFFECTS, EMOTIONS, PAIRS, PARAMETERS, PRESETS, Label, draw_clips, effect, generator, perform, sheet_row

DEFAULT, MINI = PRESETS["default"], PRESETS["mini"]
COLUMNS = """filename video_id gender mix emotion_1 version intensity_level situation emotion_2
emotion_1_salience emotion_2_salience fold"""
NAME = re.compile(r"(A\d{3})_(?:(ang|disg|fea|hap|sad)_(int[1-4])|(neu)_(sit[1-4])|mix_([a-z]+)_([a-z]+)_(50_50|70_30|30_70))_(ver\d)")


def train(chosen=DEFAULT):
    return [clip for clip in draw_clips(chosen) if not clip.test]


def test_shares_of_singles_and_blends_are_those_of_the_paper():
    kinds = Counter(min(clip.label.salience_1, 100 - clip.label.salience_1) for clip in train())
    shares = [kinds[0] / len(train()), kinds[50] / len(train()), kinds[30] / len(train())]
    assert shares == pytest.approx([0.46, 0.18, 0.36], abs=0.01)


def test_all_emotions_pairs_and_ratios_occur_about_equally_often():
    labels = Counter(clip.label for clip in train())
    singles = [labels[Label(emotion)] for emotion in EMOTIONS]
    evens = [labels[Label(*pair, 50)] for pair in PAIRS]
    unevens = [labels[Label(*pair, salience)] for pair in PAIRS for salience in (30, 70)]
    assert len(PAIRS) == 10
    assert all(min(counts) > 0 and max(counts) - min(counts) <= 1 for counts in (singles, evens, unevens))


def test_mini_is_three_actors_and_twelve_clips_in_two_folds():
    clips = draw_clips(MINI)
    rows = [sheet_row(clip, MINI.folds) for clip in clips if not clip.test]
    assert (len(clips), len({row["video_id"] for row in rows}), {row["fold"] for row in rows}) == (12, 3, {0, 1})
    assert sorted(clip.name for clip in clips if clip.test) == ["test_0001", "test_0002", "test_0003"]


@pytest.mark.parametrize("chosen", [DEFAULT, MINI, replace(DEFAULT, clips_per_actor=60), replace(DEFAULT, shuffle_labels=True)])
def test_names_are_unique_official_and_agree_with_the_columns(chosen):
    rows = [sheet_row(clip, chosen.folds) for clip in train(chosen)]
    assert len({row["filename"] for row in rows}) == len(rows)
    for row in rows:
        assert list(row) == COLUMNS.split()
        actor, single, level, neutral, situation, first, second, ratio, version = NAME.fullmatch(row["filename"]).groups()
        saliences = [int(share) for share in ratio.split("_")] if ratio else ["", ""]
        expected = [row["filename"], actor, row["gender"], int(bool(ratio)), single or neutral or first, version, level or "", situation or "", second or ""]
        assert list(row.values())[:-1] == expected + saliences


def test_folds_are_actor_disjoint_and_test_actors_are_unseen():
    folds = {(clip.actor, sheet_row(clip, DEFAULT.folds)["fold"]) for clip in train()}
    assert len(folds) == len(dict(folds)) == DEFAULT.actors
    assert Counter(dict(folds).values()) == {0: 2, 1: 2, 2: 2, 3: 2}
    assert {clip.actor for clip in draw_clips(DEFAULT) if clip.test}.isdisjoint(dict(folds))


def test_numbers_of_test_clips_tell_neither_actor_nor_label():
    tests = sorted(clip for clip in draw_clips(DEFAULT) if clip.test)
    place = np.arange(len(tests))
    for hidden in ([clip.actor for clip in tests], [EMOTIONS.index(clip.label.emotion_1) for clip in tests], [clip.take for clip in tests]):
        assert abs(np.corrcoef(place, hidden)[0, 1]) < 0.3


def test_a_label_acts_through_nine_parameters_and_neutral_through_none():
    assert len(PARAMETERS) == 9
    assert {len(values) for values in EFFECTS.values()} == {9}
    assert not any(EFFECTS["neu"])
    assert len({EFFECTS[emotion] for emotion in EMOTIONS}) == 6


@pytest.mark.parametrize("salience", [30, 50, 70])
def test_a_blend_is_the_weighted_mixture(salience):
    by_hand = [salience / 100 * a + (100 - salience) / 100 * b for a, b in zip(EFFECTS["hap"], EFFECTS["sad"])]
    assert effect(Label("hap", "sad", salience)) == pytest.approx(by_hand)


def test_shuffled_labels_keep_the_sheet_and_act_on_other_clips():
    plain, shuffled = train(), train(replace(DEFAULT, shuffle_labels=True))
    assert [clip._replace(shown=None) for clip in plain] == [clip._replace(shown=None) for clip in shuffled]
    assert all(clip.shown == clip.label for clip in plain)
    assert Counter(clip.shown for clip in shuffled) == Counter(clip.label for clip in shuffled)
    assert np.mean([clip.shown == clip.label for clip in shuffled]) < 0.1


@pytest.mark.parametrize(("shuffle", "low", "high"), [(False, 0.6, 0.9), (True, 0.0, 0.12)])
def test_parameters_explain_the_label_only_if_labels_are_not_shuffled(shuffle, low, high):
    clips = train(replace(DEFAULT, shuffle_labels=shuffle))
    apexes = np.array([perform(clip, 1, 50, generator(1, CLIP, clip.actor, clip.take))[30] for clip in clips])
    labels = np.array(
        [
            [clip.label.salience_1 * (clip.label.emotion_1 == e) + (100 - clip.label.salience_1) * (clip.label.emotion_2 == e) for e in EMOTIONS]
            for clip in clips
        ]
    )
    centred = labels - labels.mean(0)
    fitted = np.c_[apexes, np.ones(len(apexes))] @ np.linalg.lstsq(np.c_[apexes, np.ones(len(apexes))], centred, rcond=None)[0]
    assert low < (fitted**2).sum() / (centred**2).sum() < high


def test_a_performance_starts_at_rest_and_noise_is_the_clips_own(monkeypatch):
    clip = train()[0]
    other = clip._replace(take=clip.take + 1)
    first, second = (perform(it, 1, 50, generator(1, CLIP, it.actor, it.take)) for it in (clip, other))
    assert (first[0] == second[0]).all()
    assert not np.isclose(first[30], second[30]).any()
    monkeypatch.setattr(design, "NOISE_STD", 0.0)
    monkeypatch.setattr(design, "GAIN_STD", 0.0)
    still = perform(clip, 1, 50, generator(1, CLIP, clip.actor, clip.take))
    assert still[25] - still[0] == pytest.approx(effect(clip.shown))
