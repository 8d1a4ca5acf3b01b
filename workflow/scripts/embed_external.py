"""Features of one shard by a command or a function of the user's."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from blemore.features.arrays import as_features
from blemore.features.external import lay_out, media_status, read_outputs, run_limited, words_of
from blemore.features.programs import lacking
from blemore.job import BadInput, run
from blemore.media.shard import pair_videos
from blemore.settings import sha256
from blemore.stores import USABLE, provenance, write_features

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    params, cfg = snakemake.params, snakemake.params.cfg
    if absent := lacking(cfg):
        raise BadInput(f"{', '.join(absent)} of {snakemake.wildcards.encoder} is not there; put it back, or run again without new clips.")
    videos = pair_videos(params.clips, snakemake.input.videos) if "videos" in cfg["inputs"] else None
    stores = dict(zip([medium for medium in cfg["inputs"] if medium != "videos"], snakemake.input.stores, strict=True))
    statuses = media_status(list(params.clips), stores, videos)
    asked = [clip for clip, status in statuses.items() if status in USABLE]
    with _working_folder(Path(snakemake.output.store)) as work:
        inputs, outputs = work / "inputs", work / "outputs"
        outputs.mkdir()
        lay_out(inputs, asked, stores, videos)
        if asked:
            run_limited(words_of(cfg["command"], cfg["function"], inputs, outputs), params.limit["timeout_s"])
        features = as_features(read_outputs(outputs, statuses, cfg["width"]), params.actors)
    files = {file: sha256(Path(file)) for file in params.files}
    write_features(snakemake.output.store, features, provenance(params, stores, ("numpy",), files=files, versions=params.files))


@contextmanager
def _working_folder(store: Path) -> Iterator[Path]:
    """Beside the store, since a kill leaves pictures of people in it, which the next job of the shard deletes."""
    for left in store.parent.glob(f"{store.stem}.*.work"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(".work", f"{store.stem}.", store.parent.absolute(), ignore_cleanup_errors=True) as work:
        yield Path(work)


if __name__ == "__main__":
    run(main, snakemake)
