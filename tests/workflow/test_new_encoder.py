"""The README's steps to add an encoder, done one by one in a copy of the checkout."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest
from unit.data.sheets import SMALL, data_block, touch
from workflow.runs import REPOSITORY, Run, planned

pytestmark = pytest.mark.workflow

MODULE = '''"""How loud it is."""

import numpy as np
from numpy.typing import NDArray

from blemore.features.extraction import TooShort

WIDTH = 1


def loudness_frames(waveform: NDArray[np.float32], frame: int) -> NDArray[np.float32]:
    """Level of each frame, (t, 1)."""
    if len(waveform) < frame:
        raise TooShort(f"{len(waveform)} samples are less than one frame of {frame}")
    frames = waveform[: len(waveform) // frame * frame].reshape(-1, frame)
    return np.log10(1e-5 + np.sqrt((frames**2).mean(1, keepdims=True)))
'''
SCRIPT = '''"""Loudness statistics of one shard."""

from functools import partial
from typing import TYPE_CHECKING

from blemore.features.audio import audio_clips
from blemore.features.extraction import extract
from blemore.features.loudness import WIDTH, loudness_frames
from blemore.job import run
from blemore.stores import provenance, write_features

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    params, audio = snakemake.params, snakemake.input.audio
    features = extract(audio_clips(audio), partial(loudness_frames, frame=params.cfg["frame"]), WIDTH, 1, params.actors)
    write_features(snakemake.output.store, features, provenance(params, {"audio": audio}, ("numpy",)))


if __name__ == "__main__":
    run(main, snakemake)
'''
SCHEMA = """  encoder_loudness:
    description: Statistics of loudness; no weights.
    type: object
    additionalProperties: false
    required: [kind, frame]
    properties:
      kind:
        description: The kind of encoder.
        const: loudness
      frame:
        description: Samples of a frame.
        type: integer
        minimum: 1
"""


def with_rule(text: str) -> str:
    """The rule of prosody once more, with the new name and settings; and its kind among those that are extracted."""
    rule = re.search(r"rule embed_prosody:.*?(?=\nrule )", text, re.DOTALL).group()
    settings = re.search(r"cfg=settings\(.*?\n        \),", rule, re.DOTALL).group()
    new = rule.replace(settings, 'cfg=settings("features.{encoder}", "frame"),').replace("prosody", "loudness")
    return text.replace("EXTRACTED = (", 'EXTRACTED = ("loudness", ').replace(rule, f"{rule}\n{new}")


def after(line: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert text.count(line) == 1, line
        return text.replace(line, line + new)

    return edit


def below_prosody(new: str) -> Callable[[str], str]:
    """Beside the line of prosody in a dictionary of kinds."""
    return lambda text: re.sub(r'(?m)^(    "prosody": .*\n)', rf"\1    {new}\n", text)


def costs_and_media(text: str) -> str:
    edited = below_prosody('"loudness": Cost(0.01, 0.001),')(text)
    return after("MEDIA_OF_KIND = {\n", '    "loudness": ("extract_audio",),\n')(edited)


FEATURES = "workflow/scripts/blemore/features"
STEPS: list[tuple[str, Callable[[str], str]]] = [
    (f"{FEATURES}/loudness.py", lambda _: MODULE),
    ("workflow/scripts/embed_loudness.py", lambda _: SCRIPT),
    ("rules/features.smk", with_rule),
    ("workflow/schemas/config.schema.yaml", after("$defs: # one entry for each kind of encoder and of head\n", SCHEMA)),
    (f"{FEATURES}/readiness.py", below_prosody('"loudness": _prosody,')),
    (f"{FEATURES}/check.py", costs_and_media),
    ("config.yaml", after("features:\n", "  loudness: {kind: loudness, frame: 400}\n")),
    ("tests/unit/features/test_contract.py", below_prosody('"loudness": Case("embed_loudness", {}),')),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new") / "checkout"
    for part in ("rules", "envs", "workflow", "profiles", "tests"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "demo").mkdir()
    for path in (*REPOSITORY.glob("demo/*.py"), *(REPOSITORY / part for part in ("Snakefile", "config.yaml", "pyproject.toml"))):
        shutil.copyfile(path, folder / path.relative_to(REPOSITORY))
    for path, edit in STEPS:
        file = folder / path
        text = file.read_text() if file.exists() else ""
        file.write_text(edit(text))
        assert file.read_text() != text, path
    return folder


def section() -> str:
    return re.search(r"## Adding an encoder\n\n(.*?)\n\n## ", (REPOSITORY / "README.md").read_text(), re.DOTALL).group(1)


def test_the_steps_are_those_of_the_readme():
    paths = re.findall(r"`([\w/.]+\.(?:py|smk|yaml))`", section())
    assert paths == [path for path, _ in STEPS]
    assert len(section().splitlines()) <= 15


def test_the_new_encoder_keeps_the_contract(checkout):
    tests = ["tests/unit/features/test_contract.py", "tests/unit/check/test_check.py::test_every_kind_of_the_schema_has_a_readiness_and_a_cost"]
    command = [sys.executable, "-m", "pytest", "-n", "0", "-k", "loudness or every_kind_of_the_schema", *tests]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_a_run_with_the_new_encoder_is_planned(checkout, tmp_path):
    touch(tmp_path / "data/part_01/A102_neu_sit2_ver1.mov")
    touch(tmp_path / "data/test_videos/test_0001.mov")
    (tmp_path / "data/train_metadata.csv").write_text(SMALL)
    run = Run(tmp_path / "run", {"encoders": ["loudness"], "data": data_block(tmp_path / "data")}, checkout / "Snakefile")
    jobs = [job.rule for job in planned(run.snakemake("--dry-run", "loudness"))]
    assert jobs.count("embed_loudness") == jobs.count("extract_audio") > 1
    assert jobs.count("gather_features") == 1
