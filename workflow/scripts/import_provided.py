"""Features that come with the data, straight into a gathered store."""

from pathlib import Path
from typing import TYPE_CHECKING

from blemore.features.gather import check_failures
from blemore.features.provided import import_features
from blemore.job import run
from blemore.stores import provenance, write_features

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    clips = snakemake.params.clips
    files = {clip: Path(file) if file else None for clip, (file, _, _) in clips.items()}
    features = import_features(files, {clip: actor for clip, (_, _, actor) in clips.items()})
    check_failures(features, snakemake.params.limit["max_failed_fraction"])
    write_features(snakemake.output.store, features, provenance(snakemake.params, {}, ("numpy",)))


if __name__ == "__main__":
    run(main, snakemake)
