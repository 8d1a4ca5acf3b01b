"""The list of submissions: a row for each zip, with what it was decided by, and what the server answered once that is typed in."""

from pathlib import Path
from typing import TYPE_CHECKING

from blemore.fusion.scores import read_scores
from blemore.fusion.submission_list import Submission, brought_up_to_date, decided_by, read_list, write_list
from blemore.job import run
from blemore.settings import sha256

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake


def main(snakemake) -> None:
    scores = {Path(path).parent.name: read_scores(path) for path in snakemake.input.scores}
    submissions = [submission_of(path, scores[path.parent.name]) for path in map(Path, snakemake.input.zips)]
    write_list(snakemake.output.list, brought_up_to_date(read_list(snakemake.output.list), submissions))


def submission_of(path: Path, scores: dict) -> Submission:
    """A zip `{ensemble}/{protocol}.zip` and the scores of its ensemble."""
    made = scores["provenance"]
    settings = {"fusion": {name: value for name, value in made["settings"].items() if name != "resamples"}, "classify": made["classify"]}
    return Submission(path.parent.name, path.stem, sha256(path), scores["clips"]["test"]["total"], **decided_by(path.stem, scores), settings=settings)


if __name__ == "__main__":
    run(main, snakemake)
