import json
import sys

import pytest

import inspect_store
import why_stale
from blemore.inspection import today
from blemore.inspection.comparison import Comparison, verdict
from blemore.inspection.job import Job
from blemore.job import BadInput


def job(rule, output, runs=False, recorded=True, why=()):
    return Job(rule, {}, [output], runs, recorded, list(why), [], {})


def test_a_store_is_current_if_nothing_before_it_runs():
    own = job("gather_features", "results/w.zarr")
    assert verdict([job("embed", "x"), own], "results/w.zarr") == {"current": True, "why": []}
    late = verdict([job("embed", "x", runs=True, why=["features.w.layers: [6, 12] -> [1, 5]"]), own], "results/w.zarr")
    assert late == {"current": False, "why": ["1 of 2 jobs run.", "embed", "    features.w.layers: [6, 12] -> [1, 5]"]}


def test_what_cannot_be_told_says_why():
    assert verdict([job("embed", "x")], "results/w.zarr") == {"current": None, "why": ["no rule of today's workflow makes it"]}
    unknown = verdict([job("gather_features", "results/w.zarr", recorded=False)], "results/w.zarr")
    assert "no record" in unknown["why"][0]


def test_a_store_outside_of_results_is_compared_with_nothing(tmp_path):
    assert "lies in no folder `results`" in Comparison(tmp_path / "w.zarr", []).answer()["why"][0]


def test_the_command_prints_plots_exports_and_refuses(results, tmp_path, capsys):
    path = str(results / "features/w.zarr")
    inspect_store.main([path, "--no-compare", "--plot", str(tmp_path / "w.png"), "--heatmap", "--export", str(tmp_path / "w.npz")])
    said = capsys.readouterr().out
    assert "status: ok 2, no_face 1" in said
    assert said.endswith(f"written: {tmp_path / 'w.png'}\nwritten: {tmp_path / 'w.npz'}\n")
    assert (tmp_path / "w.png").stat().st_size > 1000
    inspect_store.main([path, "--no-compare", "--json", "--clip", "A1_mix"])
    assert json.loads(capsys.readouterr().out)["status"] == "ok"
    with pytest.raises(SystemExit, match=r"^--export writes all clips of a store, not A1_mix alone; leave out --clip\.$"):
        inspect_store.main([path, "--no-compare", "--clip", "A1_mix", "--export", str(tmp_path / "one.npz")])
    assert not (tmp_path / "one.npz").exists()
    with pytest.raises(SystemExit, match=r"w\.zarr has no clip A9: "):
        inspect_store.main([path, "--no-compare", "--clip", "A9"])


def test_what_snakemake_refuses_is_passed_on(tmp_path, monkeypatch):
    (tmp_path / "Snakefile").write_text("rule all:\n    output: 'made'\n")
    monkeypatch.setattr(today, "SNAKEFILE", tmp_path / "Snakefile")
    with pytest.raises(BadInput, match=r"^Snakemake refuses: (?s:.*)nowhere"):
        today.jobs_of(tmp_path, ["nowhere"], [])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "[Errno 2] No such file or directory: '{path}'"),
        (b"[1, 2]", "Config file must be given as JSON or YAML with keys at top level."),
        (b"\x89HDF", "'utf-8' codec can't decode byte 0x89 in position 0: invalid start byte"),
    ],
)
def test_what_is_no_configuration_is_named(tmp_path, content, why):
    """Most often it is a target, which stood behind `--configfile`."""
    (tmp_path / "my.yaml").write_text("encoders: [prosody]")
    path = tmp_path / "target"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SystemExit) as refused:
        why_stale.main(["--configfile", str(tmp_path / "my.yaml"), str(path)])
    why = why.format(path=path)
    assert str(refused.value) == f"{path} cannot be read as configuration ({why}); --configfile takes all that follows it, so targets stand before it."


def test_looking_imports_neither_torch_nor_a_plotting_library(results):
    import subprocess

    code = f"import sys, inspect_store; inspect_store.main([{str(results / 'features/w.zarr')!r}, '--no-compare']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=inspect_store.__file__.rsplit("/", 1)[0])
    modules = done.stdout.splitlines()[-1]
    assert not any(f"'{name}'" in modules for name in ("torch", "transformers", "matplotlib", "snakemake", "pandas", "sklearn"))
