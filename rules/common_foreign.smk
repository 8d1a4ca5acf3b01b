# Stores that Snakemake has no record of, and what would make them today.
from snakemake.iocontainers import Wildcards

from blemore import foreign


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
