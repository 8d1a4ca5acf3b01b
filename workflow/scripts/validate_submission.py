"""Whether the challenge would take a submission, ours or another's: python workflow/scripts/validate_submission.py ZIP [--sheet SHEET]"""

import argparse
import csv
import sys
from collections import Counter
from pathlib import Path

from blemore.data.catalogue import DEFAULT_EXTENSION, find_videos, open_text, video_stem
from blemore.fusion.submission import problems_of, read_predictions
from blemore.job import BadInput


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Checks keys, counts, emotions, saliences and blends of a submission against the test clips.")
    parser.add_argument("zip", help="the submission")
    parser.add_argument(
        "--sheet", default="results/data/sheet.csv", help="checked sheet, test_metadata.csv, or the folder of the test videos (default: %(default)s)"
    )
    asked = parser.parse_args(arguments)
    try:
        expected, predictions = expected_files(Path(asked.sheet)), read_predictions(asked.zip)
    except BadInput as error:
        sys.exit(f"{error}")
    problems = problems_of(predictions, expected)
    if problems:
        print("\n".join(f"{problem}." for problem in problems))
        sys.exit(f"{asked.zip} is not valid: {len(problems)} problems; it has {len(predictions)} clips of {len(expected)}.")
    blends = sum(len(entries) == 2 for entries in predictions.values())
    emotions = Counter(entry["emotion"] for entries in predictions.values() for entry in entries)
    print(f"{asked.zip} is valid: {len(predictions)} clips, {blends} of them blends; {', '.join(f'{name} {n}' for name, n in sorted(emotions.items()))}.")


def expected_files(sheet: Path) -> list[str]:
    """File names of the test clips, from a checked sheet, an official one (whose names get .mov where they have no extension), or a folder of videos.

    Raises:
        BadInput: if no test clip is found, or the sheet is no text.
    """
    if sheet.is_dir():
        names = [Path(video).name for videos in find_videos(sheet, ["."]).values() for video in videos]
    elif sheet.is_file():
        names = [name for row in csv.DictReader(open_text(sheet)) if (name := _name(row))]
    else:
        raise BadInput(f"{sheet} is neither a sheet nor a folder; name results/data/sheet.csv of a run, test_metadata.csv, or the folder of the test videos.")
    if not names:
        raise BadInput(f"{sheet} has no test clips; name the sheet or the folder that has.")
    return names


def _name(row: dict[str, str]) -> str:
    """The key of a row; "" where it is no test clip."""
    name = (row.get("video") or row.get("filename") or "") if row.get("split", "test") == "test" else ""
    return name if video_stem(name) or not name else name + DEFAULT_EXTENSION


if __name__ == "__main__":
    main()
