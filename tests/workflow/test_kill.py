"""`kill -9` at some stages and at random moments, and what the README says to do then."""

import fcntl
import os
import random
import signal
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from workflow.conftest import MINI, STAND_IN
from workflow.runs import LIMIT_S, Run
from workflow.test_mini import merged

from blemore.stores import read_attributes

pytestmark = pytest.mark.workflow


def running_job(run, process, rule="*"):
    """Log and process of a job of the rule, which holds the lock of its log."""
    ends = time.monotonic() + LIMIT_S
    while time.monotonic() < ends:
        assert process.poll() is None, f"the run ended before a job of {rule} was seen"
        for log in (run.folder / "results" / "logs").glob(f"{rule}/**/*.log"):
            if is_locked(log) and (holder := holder_of(log)):
                return log, holder
        time.sleep(0.02)
    raise TimeoutError(rule)


def is_locked(log):
    with open(log) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def holder_of(log):
    """The process that has the log as its output."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "fd" / "1").samefile(log):
                return int(entry.name)
        except OSError:
            continue  # it ended, or is no business of ours
    return None


def finished_stores(run):
    """Manifest -> what it and its record of the run hold, for each store that Snakemake recorded as made."""
    manifests = [path.with_name(path.name.replace(".run.json", ".json")) for path in (run.folder / "results").rglob("*.run.json")]
    return {path: path.read_text() + path.with_suffix(".run.json").read_text() for path in manifests if path.is_file() and is_recorded(run, path)}


def is_recorded(run, manifest):
    name = urlsafe_b64encode(str(manifest.relative_to(run.folder)).encode()).decode()
    return (run.folder / ".snakemake/metadata" / name).is_file() and not (run.folder / ".snakemake/incomplete" / name).exists()


def kill_group(run, process, log, job):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while is_locked(log):
        time.sleep(0.05)


def kill_snakemake_alone(run, process, log, job):
    """The job lives on; while it does, the next run waits with the same job. That run is killed as well."""
    os.kill(job, signal.SIGSTOP)
    process.kill()
    process.wait()
    run.snakemake("--unlock", "all", "media")
    second = start_beside(run, log, job, "all", "media")
    kill_group(run, second, log, job)


def start_beside(run, log, job, *targets):
    """A run that does a job which the stopped process of a killed one still does; it is let go on once it is waited for."""
    assert is_locked(log)
    second, ends = run.start(*targets), time.monotonic() + LIMIT_S
    sentence = f"{log.relative_to(run.folder)} is locked: a process of an earlier, killed run still does this job; it is waited for"
    while sentence not in (run.folder / "said.log").read_text():
        assert second.poll() is None
        assert time.monotonic() < ends
        time.sleep(0.05)
    os.kill(job, signal.SIGCONT)
    while holder_of(log) == job:
        time.sleep(0.05)
    return second


AT_TWO_STAGES = [("extract_audio", kill_group), ("train_head", kill_snakemake_alone)]
AT_EVERY_STAGE = [
    ("track_faces", kill_group),
    ("finetune_wav2vec2", kill_group),
    ("embed_wav2vec2", kill_snakemake_alone),
    ("train_head", kill_group),
    ("fuse", kill_snakemake_alone),
]


@pytest.mark.parametrize("kills", [pytest.param(AT_TWO_STAGES, id="two"), pytest.param(AT_EVERY_STAGE, id="every", marks=pytest.mark.soak)])
def test_a_run_that_is_killed_at_some_stages_ends_with_the_stores_of_an_undisturbed_one(mini_folder, finished, tmp_path, kills):
    (tmp_path / "data").symlink_to(mini_folder / "data")
    run, kept = Run(tmp_path / "run", MINI), {}
    for rule, kill in kills:
        process = run.start("all", "media")
        log, job = running_job(run, process, rule)
        kept = finished_stores(run) | kept  # the first record of a store is the one to keep
        kill(run, process, log, job)
        run.snakemake("--unlock", "all", "media")
    run.snakemake("all", "media")
    assert run.digests() == finished.digests()
    assert (run.folder / "results/report/scores.csv").read_bytes() == (finished.folder / "results/report/scores.csv").read_bytes()
    assert len(kept) > 5
    assert {path: now for path, now in finished_stores(run).items() if path in kept} == kept


def test_what_the_job_of_a_killed_run_writes_with_other_settings_does_not_stay(mini_folder, tmp_path):
    (tmp_path / "data").symlink_to(mini_folder / "data")
    run, target = Run(tmp_path / "run", MINI), "results/features/wav2vec2.json"
    process = run.start(target)
    log, job = running_job(run, process, "embed_wav2vec2")
    os.kill(job, signal.SIGSTOP)
    process.kill()
    process.wait()
    run.snakemake("--unlock", target)
    run.configure(merged(MINI, {"features": {"wav2vec2": {"layers": [1, 2]}}}))
    assert start_beside(run, log, job, target).wait(LIMIT_S) == 0
    shards = list((run.folder / "results/features/shards/wav2vec2").glob("*.zarr"))
    assert len(shards) > 1
    assert {tuple(read_attributes(shard)["settings"]["layers"]) for shard in shards} == {(1, 2)}
    assert run.stale(target) == []


def kill_at_random(run, seed, kills, longest_s):
    """Kills the run and its jobs so often, each time when a job has the lock of its log; what was finished by then."""
    moments, kept, hit = random.Random(seed), {}, []
    for _ in range(kills):
        process = run.start("all", "media")
        running_job(run, process)
        time.sleep(moments.uniform(0, longest_s))
        log, job = running_job(run, process)
        kept = finished_stores(run) | kept
        kill_group(run, process, log, job)
        run.snakemake("--unlock", "all", "media")
        hit.append(log.relative_to(run.folder / "results/logs").parts[0])
    print(f"{kills} kills hit {', '.join(hit)}; {len(kept)} stores were finished")
    return kept


@pytest.mark.soak
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_that_is_killed_at_eight_random_moments_ends_with_the_stores_of_an_undisturbed_one(mini_folder, finished, tmp_path, seed):
    (tmp_path / "data").symlink_to(mini_folder / "data")
    run = Run(tmp_path / "run", MINI)
    kept = kill_at_random(run, seed, kills=8, longest_s=6)
    run.snakemake("all", "media")
    assert run.digests() == finished.digests()
    assert {path: now for path, now in finished_stores(run).items() if path in kept} == kept


@pytest.mark.soak
def test_the_demo_killed_at_six_random_moments_ends_with_the_stores_of_an_undisturbed_run(demo, tmp_path):
    demo.launcher = (*STAND_IN, *demo.launcher)
    demo.snakemake("all", "media")
    killed = Run(tmp_path / "killed", demo.config)
    killed.launcher = demo.launcher
    kept = kill_at_random(killed, 4, kills=6, longest_s=60)
    killed.snakemake("all", "media")
    assert killed.digests() == demo.digests()
    assert {path: now for path, now in finished_stores(killed).items() if path in kept} == kept
