# Inputs and params of rules/system.smk and rules/predict.smk.
from blemore.features.kinds import FINE_TUNED

# Those whose mean predicts clips that nobody trained on.
MODELS = (
    ["retrained"]
    if config["classify"]["test_prediction"] == "retrained"
    else [f"fold{fold}" for fold in FOLDS]
)


def trained(pattern, fine_tuned):
    """A file of every model of the members that are fine-tuned, or of those with a head; predictions that came from elsewhere have none."""
    takes = (
        (
            lambda encoder: configuration.encoders_of(config)[encoder]["kind"]
            in FINE_TUNED
        )
        if fine_tuned
        else (lambda encoder: not configuration.yields_probabilities(config, encoder))
    )
    return lambda wildcards: [
        pattern.format(encoder=encoder, head=head, model=model)
        for encoder, head in ENSEMBLES[wildcards.ensemble]
        if takes(encoder)
        for model in MODELS
    ]


def encoders_of_ensemble(wildcards):
    """What the members consist of, concatenations replaced by what they join."""
    members = [encoder for encoder, _ in ENSEMBLES[wildcards.ensemble]]
    return configuration.parts_of(config, members)


def described_weights(wildcards):
    """Descriptions of the pretrained weights that extract features."""
    features = config["features"]
    return [
        f"results/weights/{encoder}.json"
        for encoder in encoders_of_ensemble(wildcards)
        if "revision" in features[encoder]
        and features[encoder]["kind"] not in FINE_TUNED
    ]


MEDIA_OF_FINE_TUNED = {
    "s4d": "results/media/faces/{shard}.h5",
    "videomae": "results/media/body/{shard}.h5",
    "timesformer": "results/media/body/{shard}.h5",
    "wav2vec2_finetuned": "results/media/audio/{shard}",
}
MEMBERS = (
    [member for member in SYSTEM.members if member[0] in ENCODERS] if SYSTEM else []
)


def of_members(*patterns):
    """Files of every member that takes part, member by member."""
    return [
        pattern.format(encoder=encoder, head=head)
        for encoder, head in MEMBERS
        for pattern in patterns
    ]


def of_models(pattern):
    """A pattern for every model of the system, in which encoder and head stay open."""
    return [pattern.replace("{model}", model) for model in SYSTEM.models]


def media_of_fine_tuned(wildcards):
    pattern = MEDIA_OF_FINE_TUNED[config["features"][wildcards.encoder]["kind"]]
    return expand(pattern, shard=SHARDS)


def manifests_of_fine_tuned(wildcards):
    return [
        path.removesuffix(".h5") + ".json" for path in media_of_fine_tuned(wildcards)
    ]


def exported_heads(wildcards):
    folder = f"heads/{wildcards.encoder}/{wildcards.head}"
    return [SYSTEM.path(f"{folder}/{model}.safetensors") for model in SYSTEM.models]
