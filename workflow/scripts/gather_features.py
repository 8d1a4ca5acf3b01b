"""All shards of one encoder in one store."""

from typing import TYPE_CHECKING

from blemore.features.gather import check_failures, concatenate, same_extraction
from blemore.job import run
from blemore.stores import provenance, read_attributes, read_features, write_features

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    features = concatenate([read_features(store) for store in snakemake.input.stores])
    check_failures(features, snakemake.params.cfg["max_failed_fraction"])
    attributes = provenance(snakemake.params, {}, ("numpy", "zarr"))
    extraction = same_extraction({store: read_attributes(store) for store in snakemake.input.stores})
    write_features(snakemake.output.store, features, attributes | {"extraction": extraction})


if __name__ == "__main__":
    run(main, snakemake)
