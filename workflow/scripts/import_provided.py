"""Features that come with the data, straight into a gathered store."""

from typing import TYPE_CHECKING

from blemore.features.gather import check_failures
from blemore.features.provided import import_features, origins
from blemore.job import run
from blemore.stores import provenance, write_features

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    clips, cfg = snakemake.params.clips, snakemake.params.cfg
    files = {clip: file for clip, (file, _, _) in clips.items()}
    features = import_features(files, {clip: actor for clip, (_, _, actor) in clips.items()}, cfg["width"], cfg["columns"])
    check_failures(features, snakemake.params.limit["max_failed_fraction"])
    write_features(snakemake.output.store, features, provenance(snakemake.params, {}, ("numpy",), origins=origins(files)))


if __name__ == "__main__":
    run(main, snakemake)
