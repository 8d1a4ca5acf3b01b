import gc
import math
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "scripts"))

# Snakemake keeps all its jobs, so looking through them for garbage after each 700 new objects finds none.
gc.set_threshold(1_000_000)

from snakemake.exceptions import WorkflowError
from snakemake.iocontainers import Wildcards

from blemore import configuration, foreign
from blemore.data.catalogue import missing_videos_paragraph
from blemore.features import api_requests, readiness, weights
from blemore.features.check import MEDIA_OF_KIND
from blemore.features.ranges import layer_ranges, range_name
from blemore.finetune.hours import hours_of_fold, peak_mb
from blemore.fusion.submission_list import PROTOCOLS
from blemore.job import BadInput, disk_problem, keep_private
from blemore.prediction import new_clips, system
from blemore.settings import file_digests, fingerprint, pick

# Here too, since Snakemake makes the folders, the logs and its records.
keep_private()

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
        CATALOGUE.make_links()
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
    return os.environ.get("HF_HUB_OFFLINE", "0")


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


def encoder_stores(encoder):
    """Manifests of what an encoder itself yields: one of features, or one of probabilities for each fold."""
    if not configuration.yields_probabilities(config, encoder):
        return [f"results/features/{encoder}.json"]
    return expand(
        "results/probabilities/{encoder}/own/fold{fold}.json",
        encoder=encoder,
        fold=FOLDS or ["0"],
    )


def member_stores(pattern):
    """The stores of all members of an ensemble and all folds."""
    return lambda wildcards: [
        pattern.format(encoder=encoder, head=head, fold=fold)
        for encoder, head in ENSEMBLES[wildcards.ensemble]
        for fold in FOLDS
    ]


def member_features(wildcards):
    """The feature stores of an ensemble's members, as far as they have one."""
    encoders = dict.fromkeys(encoder for encoder, _ in ENSEMBLES[wildcards.ensemble])
    return [
        f"results/features/{encoder}.zarr"
        for encoder in encoders
        if not configuration.yields_probabilities(config, encoder)
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


def frame_store(pattern):
    """The face crops or body frames of a shard, whichever the encoder looks at."""
    return lambda wildcards: pattern.format(
        frames=config["features"][wildcards.encoder]["frames"], **wildcards
    )


def api_endpoint(wildcards):
    """Whom an API's encoder asks: what a stand-in answered is stale once the service itself would be asked."""
    return api_requests.endpoint(config["features"][wildcards.encoder]["platform"])


def shard_stores(pattern):
    """The stores of all shards of an encoder; never none, since a store of nothing would replace a gathered one."""

    def stores(wildcards):
        if not SHARDS:
            raise WorkflowError(
                f"the clips of {wildcards.encoder} are not known; run its target alone to see why."
            )
        return expand(pattern, encoder=wildcards.encoder, shard=SHARDS)

    return stores


def of_submitted(pattern):
    """A file of each ensemble of the configuration, and of each protocol, where there are test clips."""

    def files(wildcards):
        if not any(clip.split == "test" for clip in CATALOGUE.clips):
            return []
        named = [name for name in ENSEMBLES if name in config["fusion"]["ensembles"]]
        found = expand(pattern, ensemble=named, protocol=PROTOCOLS)
        return list(dict.fromkeys(found))

    return files


def submissions(wildcards):
    """The list of the zips, which needs them all; nothing where nothing is submitted."""
    return of_submitted("results/submission/submissions.csv")(wildcards)


def retrained_stores(pattern):
    """The stores that predict the test clips, where heads are trained again on all clips."""
    retrained = config["classify"]["test_prediction"] == "retrained"
    return lambda wildcards: [
        pattern.format(encoder=encoder, head=head)
        for encoder, head in ENSEMBLES[wildcards.ensemble]
        if retrained
    ]


def of_layers(pattern):
    """A file of every layer and range of the layer curve."""
    curve = config["layer_curve"]
    return expand(
        pattern, encoder=curve["encoder"], layers=layer_ranges(curve["ranges"])
    )


def histories_of_folds(wildcards):
    """How long each fold's model took, which the one retrained on all clips goes by."""
    if wildcards.model != "retrained":
        return []
    return expand(
        "results/heads/{encoder}/own/fold{fold}.json",
        encoder=wildcards.encoder,
        fold=FOLDS,
    )


def of_ensembles(pattern):
    """A file of every ensemble; never none, since a report of nothing would replace one."""

    def files(wildcards):
        if not ENSEMBLES:
            raise WorkflowError(
                "the clips are not known; run this target alone to see why."
            )
        return expand(pattern, ensemble=ENSEMBLES)

    return files


def all_members(pattern):
    """A file of every encoder and head that some ensemble contains, and every fold."""

    def files(wildcards):
        members = sorted({member for pairs in ENSEMBLES.values() for member in pairs})
        return [
            pattern.format(encoder=encoder, head=head, fold=fold)
            for encoder, head in members
            for fold in FOLDS
        ]

    return files


def shown_media(setting, pattern):
    """A file of every shard whose training clips the report shows; none where there are no videos."""

    def files(wildcards):
        if not config["report"][setting]:
            return []
        shards = {clip.shard for clip in CATALOGUE.clips if clip.split == "train"}
        shards &= {clip.shard for clip in CATALOGUE.clips if clip.video}
        if setting == "embed_sound":
            shards = set(filter(is_heard(), shards))
        return expand(pattern, shard=sorted(shards))

    return files


def is_heard():
    """Whether the sound of a shard is there or some encoder needs it anyway: none is extracted for the report alone, as beside features that were given."""
    parts = configuration.parts_of(config, ENCODERS)
    needed = any(
        "extract_audio" in MEDIA_OF_KIND[config["features"][encoder]["kind"]]
        and not Path(encoder_stores(encoder)[0]).is_file()
        for encoder in parts
    )
    return lambda shard: needed or Path(f"results/media/audio/{shard}.json").is_file()


def whole_configuration(wildcards, resources):
    """For the report to print; Snakemake does not compare it, so no setting makes the report stale by itself."""
    return dict(config)


def foreign_stores():
    """Finished stores of this run that Snakemake has no record of; shards only where nothing is gathered yet."""
    stores = []
    with_features = (
        encoder
        for encoder in dict.fromkeys(
            [*ENCODERS, *configuration.parts_of(config, ENCODERS)]
        )
        if not configuration.yields_probabilities(config, encoder)
    )
    for encoder in with_features:
        gathered = f"results/features/{encoder}.zarr"
        shards = [f"results/features/shards/{encoder}/{shard}.zarr" for shard in SHARDS]
        stores += [gathered] if Path(gathered).exists() else shards
    for encoder, head in sorted(set(sum(ENSEMBLES.values(), []))):
        folder = f"results/probabilities/{encoder}/{head}"
        stores += [f"{folder}/fold{fold}.zarr" for fold in FOLDS]
        stores.append(f"{folder}/retrained.zarr")
    return [store for store in stores if foreign.is_foreign(store)]


def settings_today(store):
    """What the rule that makes a store declares now, in the form of `foreign.made_by`."""
    maker = next((one for one in workflow.rules if one.is_producer(store)), None)
    if maker:
        wildcards = Wildcards(fromdict=maker.get_wildcards(store))
    else:
        # Imports whose files are gone.
        _, stage, *names = Path(store).with_suffix("").parts
        maker = workflow.get_rule(
            "import_provided" if stage == "features" else "import_probabilities"
        )
        wildcards = Wildcards(fromdict={"encoder": names[0]})
    params = {
        name: value(wildcards) if callable(value) else value
        for name, value in maker.params.items()
        if name in ("cfg", "recipe")
    }
    today = {"settings": params["cfg"]}
    if "recipe" in params:
        name = getattr(wildcards, "head", wildcards.encoder)
        today["recipe"] = params["recipe"][name]
    if maker.name == "gather_features":
        shard = f"results/features/shards/{wildcards.encoder}/any.zarr"
        today["extraction"] = settings_today(shard)["settings"]
    return today
