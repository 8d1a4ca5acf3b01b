"""The features of several encoders, joined clip by clip into one early-fusion encoder."""

from typing import TYPE_CHECKING

from blemore.features.gather import join
from blemore.job import run
from blemore.stores import provenance, read_attributes, read_features, write_features

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    (names,) = snakemake.params.cfg.values()
    stores = dict(zip(names, snakemake.input.stores, strict=True))
    features = join({name: read_features(store) for name, store in stores.items()})
    parts = {name: read_attributes(store) for name, store in stores.items()}
    write_features(snakemake.output.store, features, provenance(snakemake.params, stores, ("numpy", "zarr"), parts=parts))


if __name__ == "__main__":
    run(main, snakemake)
