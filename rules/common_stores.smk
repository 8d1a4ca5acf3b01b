# Which stores and files a rule reads, by wildcards, ensembles and shards.
from blemore.features.check import media_of
from blemore.features.ranges import layer_ranges
from blemore.fusion.submission_list import PROTOCOLS


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


def frame_store(pattern):
    """The face crops or body frames of a shard, whichever the encoder looks at."""
    return lambda wildcards: pattern.format(
        frames=config["features"][wildcards.encoder]["frames"], **wildcards
    )


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
    waiting = [
        config["features"][encoder]
        for encoder in configuration.parts_of(config, ENCODERS)
        if not Path(encoder_stores(encoder)[0]).is_file()
    ]
    needed = "extract_audio" in media_of(waiting)
    return lambda shard: needed or Path(f"results/media/audio/{shard}.json").is_file()
