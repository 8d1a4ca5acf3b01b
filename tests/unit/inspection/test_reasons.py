"""The words for every kind of change, each written by hand."""

from types import SimpleNamespace

import pytest

from blemore.foreign import ABSENT
from blemore.inspection.reasons import changes, named
from blemore.inspection.today import _files

CODE = {"blemore/a.py": "1", "blemore/b.py": "2", "envs/plain.yaml": "3"}
CFG = {"layers": [6, 12], "segments": 1}


def test_what_is_asked_for_each_time_and_what_was_stopped_is_said():
    reason = SimpleNamespace(missing_output=[], incomplete_output=["x"], noio=True, nooutput=False, updated_input=set(), updated_input_run=set())
    dag = SimpleNamespace(reason=lambda job: reason, workflow=None)
    assert list(_files(SimpleNamespace(output=[]), dag)) == ["an earlier run was stopped in it", "runs whenever it is asked for"]


def said(then, now, **blocks):
    return changes([repr(value) for value in then.values()], now, blocks)


@pytest.mark.parametrize(
    ("name", "then", "now", "expected"),
    [
        ("cfg", CFG, CFG | {"layers": [1, 5]}, ["features.w.layers: [6, 12] -> [1, 5]"]),
        ("cfg", {"weights": {"picks": 50, "bags": 2}}, {"weights": {"picks": 5, "bags": 2}}, ["features.w.weights.picks: 50 -> 5"]),
        ("code", CODE, CODE | {"blemore/b.py": "9", "envs/plain.yaml": "8"}, ["code, edited: blemore/b.py, envs/plain.yaml"]),
        ("code", CODE, CODE | {"blemore/c.py": "4"}, ["code, now also imports: blemore/c.py"]),
        ("code", CODE, {"blemore/a.py": "1", "envs/plain.yaml": "3"}, ["code, no longer imports: blemore/b.py"]),
        ("clips", {"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3}, ["new clips: c"]),
        ("clips", {"a": 1, "b": 2}, {"b": 3}, ["clips gone: a", "another file of: b (2 bytes -> 3 bytes)"]),
        ("clips", {"a": None}, {"a": 7}, ["another file of: a (none -> 7 bytes)"]),
        ("clips", {"a": ("x.npy", 1, "A")}, {"a": ("x.npy", 2, "A")}, ["another file of: a (x.npy, 1 bytes, A -> x.npy, 2 bytes, A)"]),
        ("actors", {"a": "A1"}, {"a": "A2"}, ["another actor of: a (A1 -> A2)"]),
        ("members", [["s4d", "own"], ["clip", "mlp"]], [["s4d", "own"], ["hubert", "mlp"]], ["members: without clip/mlp", "members: with hubert/mlp"]),
        ("members", [["a", "b"], ["c", "d"]], [["c", "d"], ["a", "b"]], ['members: [["a", "b"], ["c", "d"]] -> [["c", "d"], ["a", "b"]]']),
        ("clips", {f"c{n}": n for n in range(8)}, {"x": 1, "c0": 0}, ["new clips: x", "clips gone: c1, c2, c3, c4, c5 and 2 more"]),
    ],
)
def test_a_change_is_one_line(name, then, now, expected):
    assert said({name: then}, {name: now}, cfg="features.w") == expected


def test_nothing_that_is_equal_is_named():
    assert said({"cfg": CFG, "code": CODE}, {"code": CODE, "cfg": CFG}) == []


def test_params_are_recognised_without_their_names():
    """Snakemake records printed values alone, sorted; both blocks changed here, and each is compared with its own past."""
    then = {"cfg": {"seeds": [1], "early_stopping": "inner"}, "recipe": {"mlp": {"epochs": 10}}, "code": CODE}
    now = {"cfg": {"seeds": [2], "early_stopping": "inner"}, "recipe": {"mlp": {"epochs": 9}}, "code": CODE | {"blemore/a.py": "7"}}
    expected = ["classify.seeds: [1] -> [2]", "classify.heads.mlp.epochs: 10 -> 9", "code, edited: blemore/a.py"]
    assert said(then, now, cfg="classify", recipe="classify.heads") == expected
    assert named([repr(value) for value in then.values()], now) == then


def test_a_param_that_is_new_or_gone():
    assert said({}, {"cfg": CFG}) == [f'cfg: "{ABSENT}" -> {{"layers": [6, 12], "segments": 1}}']
    assert said({"audio": {"rate": 1}}, {}) == [f'a param: {{"rate": 1}} -> "{ABSENT}"']
    assert named([repr({"rate": 1})], {"cfg": CFG}) == {}
