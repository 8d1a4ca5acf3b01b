"""Features of one shard by a command or a function of the user's."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from blemore.features.arrays import as_features
from blemore.features.external import lay_out, media_status, read_outputs, run_limited, words_of
from blemore.job import run
from blemore.media.shard import pair_videos
from blemore.settings import sha256
from blemore.stores import USABLE, provenance, write_features

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    params, cfg = snakemake.params, snakemake.params.cfg
    videos = pair_videos(params.clips, snakemake.input.videos) if "videos" in cfg["inputs"] else None
    stores = dict(zip([medium for medium in cfg["inputs"] if medium != "videos"], snakemake.input.stores, strict=True))
    statuses = media_status(list(params.clips), stores, videos)
    asked = [clip for clip, status in statuses.items() if status in USABLE]
    work = Path(snakemake.output.store).with_suffix(".work").absolute()  # beside the store, since a kill leaves pictures of people in it
    shutil.rmtree(work, ignore_errors=True)
    inputs, outputs = work / "inputs", work / "outputs"
    outputs.mkdir(parents=True)
    try:
        lay_out(inputs, asked, stores, videos)
        if asked:
            run_limited(words_of(cfg["command"], cfg["function"], inputs, outputs), params.limit["timeout_s"])
        features = as_features(read_outputs(outputs, statuses, cfg["width"]), params.actors)
    finally:
        shutil.rmtree(work)
    files = {file: sha256(Path(file)) for file in params.files}
    write_features(snakemake.output.store, features, provenance(params, stores, ("numpy",), files=files, versions=params.files))


if __name__ == "__main__":
    run(main, snakemake)
