"""What is in a store, what made it and whether it is current: python workflow/scripts/inspect_store.py PATH [--clip ID] [--plot OUT.png] [--export OUT]"""

import argparse
import json
import sys
from pathlib import Path

from blemore.inspection.comparison import Comparison
from blemore.inspection.description import as_text, describe, describe_clip
from blemore.inspection.opening import open_store
from blemore.job import BadInput, keep_private

COLOURS = ("emotion", "actor", "split", "status")


def main(arguments: list[str] | None = None) -> None:
    asked = _parser().parse_args(arguments)
    keep_private()
    try:
        inspect(asked)
    except BadInput as error:
        sys.exit(f"{error}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Shows features, probabilities, face tracks, face crops, body frames, audio, clips, heads and weights.")
    parser.add_argument("path", help="a store under results/, or its manifest")
    parser.add_argument("--clip", metavar="ID", help="this clip alone")
    parser.add_argument("--configfile", nargs="+", default=[], metavar="FILE", help="as for snakemake: what `current` is compared with")
    parser.add_argument("--no-compare", action="store_true", help="do not ask whether the store is current")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--plot", metavar="OUT.png", help="a picture of the numbers; of frames, sounds and clips a contact sheet")
    parser.add_argument("--heatmap", action="store_true", help="of features: every clip and number, instead of a projection")
    parser.add_argument("--colour", choices=COLOURS, default="emotion", help="of the projection (default: %(default)s)")
    parser.add_argument("--sheet", help="labels and actors (default: data/sheet.csv of the same results)")
    parser.add_argument("--export", metavar="OUT", help="all clips to .npz, .csv, .parquet, or .zip with manifest and provenance")
    parser.add_argument("--official", action="store_true", help="an exported .npz holds `X` and `filenames`, as the organisers' aggregated features do")
    return parser


def inspect(asked: argparse.Namespace) -> None:
    """Prints, and plots and exports what is asked for."""
    if asked.clip and asked.export:
        raise BadInput(f"--export writes all clips of a store, not {asked.clip} alone; leave out --clip.")
    store = open_store(asked.path)
    comparison = None if asked.no_compare else Comparison(store.path, asked.configfile)
    described = describe_clip(store, asked.clip) if asked.clip else describe(store)
    if not asked.json:
        print(as_text(described), flush=True)
    if asked.plot:
        # Imported here, as drawing takes a second that looking does not need.
        from blemore.inspection.plots import plot

        plot(store, Path(asked.plot), asked.clip, asked.heatmap, asked.colour, asked.sheet)
        _say_written(asked.plot, asked.json)
    if asked.export:
        from blemore.inspection.exports import export

        export(store, Path(asked.export), asked.official)
        _say_written(asked.export, asked.json)
    if comparison:
        described["today"] = comparison.answer()
    if asked.json:
        print(json.dumps(described, indent=1))
    elif comparison:
        print(_today(described["today"]))


def _say_written(path: str, for_programs: bool) -> None:
    if not for_programs:
        print(f"written: {path}", flush=True)


def _today(answer: dict) -> str:
    words = {True: "current", False: "not current", None: "current: not known"}[answer["current"]]
    return "\n".join([words, *(f"    {line}" for line in answer["why"])])


if __name__ == "__main__":
    main()
