import gc
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

# Snakemake keeps all its jobs, so looking through them for garbage after each 700 new objects finds none.
gc.set_threshold(1_000_000)

from snakemake.exceptions import WorkflowError

from blemore import configuration
from blemore.data.catalogue import missing_videos_paragraph
from blemore.features import api_requests, readiness, weights
from blemore.features.ranges import range_name
from blemore.finetune.hours import hours_of_fold, peak_mb
from blemore.job import BadInput, disk_problem, keep_private, make_private
from blemore.prediction import new_clips, system
from blemore.settings import file_digests, fingerprint, pick

# Here too, since Snakemake makes the folders, the logs and its records; its own log, which repeats those of failed jobs, is there already.
keep_private()
make_private(Path(".snakemake"))

# Snakemake does not tell its targets while it parses, and these must work where there are no data yet.
NEEDS_NO_DATA = any(
    argument.split(":")[0]
    in ("check", "weights", "gemini_estimate", "validate", "--lint", "--unlock")
    for argument in sys.argv
)


def refuse(error):
    """One bad input is one message; raising it here would add lines of a stack."""
    print(error, file=sys.stderr)
    sys.exit(1)


def take_part_in_prediction():
    """As `take_part`; nothing is trained, so there are no ensembles and folds."""
    encoders = system.select(config, SYSTEM, CATALOGUE)
    if workflow.is_main_process and not NEEDS_NO_DATA:
        CATALOGUE.make_links(only_absent=True)
        if notice := system.notice(SYSTEM):
            print(notice, file=sys.stderr)
    return encoders, {}, [], CATALOGUE.shards


def take_part():
    """Encoders, ensembles, folds and shards of this run."""
    if SYSTEM:
        return take_part_in_prediction()
    shards = CATALOGUE.shards
    if workflow.is_main_process:
        from blemore.data import validation

        validation.validate(CATALOGUE)
    encoders = readiness.select_encoders(config, CATALOGUE)
    return (
        encoders,
        configuration.active_ensembles(config, encoders),
        CATALOGUE.folds,
        shards,
    )


try:
    if SYSTEM := system.system_of(config):
        config["features"] = system.completed(config["features"], SYSTEM)
    if workflow.is_main_process:
        configuration.validate(config)
        system.check_targets(sys.argv[1:], bool(SYSTEM))
    if SYSTEM:
        config.update(system.configured(config, SYSTEM))
        configuration.validate_types(config)
    CATALOGUE = new_clips.catalogue_of(config)
    try:
        ENCODERS, ENSEMBLES, FOLDS, SHARDS = take_part()
    except BadInput:
        if not NEEDS_NO_DATA:
            raise
        ENCODERS, ENSEMBLES, FOLDS, SHARDS = config["encoders"], {}, [], []
except BadInput as error:
    refuse(error)
except OSError as error:
    if not (problem := disk_problem(error)):
        raise
    refuse(problem)

if workflow.is_main_process and (
    left_out := configuration.left_out(config, ENCODERS, ENSEMBLES)
):
    print(left_out, file=sys.stderr)

GPU = int(config["runtime"]["device"] == "cuda")
READERS = (
    1 + config["runtime"]["loader_workers"] if GPU else 1
)  # cores of a job that reads with several processes
CORES_PER_GPU = 50  # that a fine-tuning GPU stands for in the time asked for; by operations it is 600, none was there to measure

# All jobs find the Hugging Face hub switched off; fetch_weights switches it on again where the user's environment allows it.
shell.prefix("set -euo pipefail; export HF_HUB_OFFLINE=1; ")


wildcard_constraints:
    encoder="[^/]+",
    ensemble="[^/]+",
    fold="[^/]+",
    head="|".join(config["classify"]["heads"]),
    model="fold[^/]+|retrained",
    shard="[^/]+",


def settings(block, *names):
    """The named settings of one block of the configuration, and nothing else; both may hold wildcards."""

    def picked(wildcards):
        return pick(
            config,
            block.format(**wildcards),
            [name.format(**wildcards) for name in names],
        )

    picked.block = block  # by which `why_stale.py` calls what has changed
    return picked


def untracked(block, *names):
    """Settings that change no result. Snakemake never compares a callable of resources."""
    return lambda wildcards, resources: pick(config, block.format(**wildcards), names)


def runtime(*names):
    return untracked("runtime", *names)


def clips_of_job(wildcards):
    shard = getattr(wildcards, "shard", None)
    return CATALOGUE.by_shard[shard] if shard else CATALOGUE.clips


def for_clips(base, per_clip=0):
    """Megabytes or minutes for the clips of a job, its shard's or all; more for each further attempt."""

    def amount(wildcards, attempt):
        # `check` and `weights` work without any clips.
        clips = len(clips_of_job(wildcards)) if per_clip else 0
        return math.ceil((base + per_clip * clips) * attempt)

    return amount


def memory_of_training(wildcards, attempt):
    """Half as many megabytes again as the peak, and Slurm's two Snakemake processes."""
    peak = peak_mb(config["features"][wildcards.encoder])
    return math.ceil((400 + 1.5 * peak) * attempt)


def minutes_of_training(wildcards, attempt):
    """Half as many again as one model of a fine-tuned encoder takes at most."""
    hours = hours_of_fold(
        config["features"][wildcards.encoder], len(CATALOGUE.clips), len(FOLDS)
    )
    return math.ceil((10 + 90 * hours / (CORES_PER_GPU if GPU else 1)) * attempt)


def hub_offline(wildcards, resources):
    """What the user's environment says of the hub; it changes no result."""
    return str(int(weights.offline()))


def shard_clips(wildcards):
    """Clip ids of a shard and the size of each video: what makes the shard stale when a clip comes, goes or is replaced."""
    return {clip.clip: clip.size_bytes for clip in CATALOGUE.by_shard[wildcards.shard]}


def shard_actors(wildcards):
    return {clip.clip: clip.actor for clip in CATALOGUE.by_shard[wildcards.shard]}


def shard_videos(wildcards):
    if not any(clip.video for clip in CATALOGUE.clips):
        raise WorkflowError(missing_videos_paragraph(config["data"]))
    return [
        str(clip.video) for clip in CATALOGUE.by_shard[wildcards.shard] if clip.video
    ]


def of_kind(*kinds):
    """Constrains the wildcard to the encoders of some kinds."""
    names = [
        name
        for name, encoder in configuration.encoders_of(config).items()
        if encoder["kind"] in kinds
    ]
    return "|".join(names) or "none"


def local_weights(wildcards):
    """Files of a local checkpoint with their sizes, which make it stale; empty for a name on the hub."""
    return weights.local_sizes(
        config["features"][wildcards.encoder]["model"],
        f"results/weights/{wildcards.encoder}.json",
        single_file(wildcards),
    )


def single_file(wildcards):
    """The file that a checkpoint is, where it is one among others in its folder."""
    return config["features"][wildcards.encoder].get("file")


def needed_weights(wildcards):
    """SHA-256 of the weights that an exported system was trained with; None in a run that trains."""
    return SYSTEM.content["weights"].get(wildcards.encoder) if SYSTEM else None


def api_endpoint(wildcards):
    """Whom an API's encoder asks: what a stand-in answered is stale once the service itself would be asked."""
    return api_requests.endpoint(config["features"][wildcards.encoder]["platform"])


def whole_configuration(wildcards, resources):
    """For the report to print; Snakemake does not compare it, so no setting makes the report stale by itself."""
    return dict(config)
