"""The same run on a real Slurm of one node: what stands in the README's section on clusters."""

import os
import shutil
from pathlib import Path

import pytest
from workflow.conftest import MINI, STAND_IN, check_demo_score
from workflow.runs import REPOSITORY, Run

pytestmark = pytest.mark.workflow
NEEDED = ("slurmctld", "slurmd", "munged", "unshare", "ip")
SLURM = REPOSITORY / "tests" / "slurm"
PROFILE = REPOSITORY / "profiles" / "slurm"
ON_SLURM = ("--profile", str(PROFILE), "--slurm-partition-config", str(PROFILE / "partitions.yaml"), "--slurm-init-seconds-before-status-checks", "1")
ASKS_TOO_LITTLE = ("--set-resources", "gather_features:mem_mb=100*attempt*attempt", "embed_wav2vec2:gpu=1")
GPU_RULES, LOCAL_RULES = {"embed_wav2vec2"}, {"fetch_weights"}


@pytest.fixture(scope="module")
def slurm():
    """What is put before a command to run it on a cluster of its own."""
    if os.geteuid() != 0 or not all(shutil.which(name) for name in NEEDED):
        pytest.skip("the run on Slurm needs root, and Debian's slurm-wlm and munge")
    return (str(SLURM / "with_slurm"),)


@pytest.fixture(scope="module")
def cluster(slurm, mini_folder, tmp_path_factory):
    """One run of mini, in which one rule asks for too little memory at first and one for a GPU."""
    folder = tmp_path_factory.mktemp("slurm")
    shutil.copytree(mini_folder / "data", folder / "data")
    run = Run(folder / "run", MINI)
    run.launcher = (*slurm, *Run.launcher)
    run.said = run.snakemake(*ON_SLURM, *ASKS_TOO_LITTLE, cores=None, PYTHONPATH=str(SLURM / "hook"), NOTED=str(folder / "noted.txt"))
    return run


def noted(run):
    """Rule -> where its scripts ran, and what they were told of the hub."""
    lines = [line.split() for line in (run.folder.parent / "noted.txt").read_text().splitlines()]
    return {rule: {tuple(said) for name, *said in lines if name == rule} for rule, *_ in lines}


def test_it_makes_the_same_stores(cluster, finished):
    made = cluster.digests()
    assert made == {name: digest for name, digest in finished.digests().items() if name in made}
    assert "results/probabilities/wav2vec2/mlp_1024/fold0.json" in made
    assert (cluster.folder / "results/report/scores.csv").read_bytes() == (finished.folder / "results/report/scores.csv").read_bytes()


def test_a_job_that_exceeds_its_memory_is_tried_again_with_more(cluster):
    logs = [path.read_text() for path in (cluster.folder / ".snakemake/slurm_logs/rule_gather_features").rglob("*.log")]
    assert "exceeded memory limit" in "".join(logs)
    assert cluster.said.count("Trying to restart job") == 1


def test_jobs_that_ask_for_a_gpu_go_to_its_partition_and_the_others_do_not(cluster):
    partitions = {rule: {place for place, _ in said} for rule, said in noted(cluster).items() if rule not in LOCAL_RULES}
    assert partitions == {rule: {"gpu" if rule in GPU_RULES else "cpu"} for rule in partitions}
    assert partitions.keys() > GPU_RULES


def test_weights_are_fetched_where_snakemake_runs_and_every_job_finds_the_hub_switched_off(cluster):
    found = noted(cluster)
    assert {rule for rule, said in found.items() if "here" in {place for place, _ in said}} == LOCAL_RULES
    assert {hub for said in found.values() for _, hub in said} == {"HF_HUB_OFFLINE=1"}


def test_nothing_of_the_cluster_is_left(cluster):
    commands = [path.read_text().strip() for path in Path("/proc").glob("[0-9]*/comm")]
    assert not {"slurmctld", "slurmd", "munged"} & set(commands)


@pytest.mark.soak
def test_the_demo_runs_on_slurm(slurm, demo):
    demo.launcher = (*slurm, *STAND_IN, *Run.launcher)  # which has a network of its own
    demo.snakemake(*ON_SLURM, "all", "media", cores=None)
    check_demo_score(demo)
