"""The checked sheet that later stages read."""

import pandas as pd

from blemore.data.catalogue import COLUMNS, Catalogue
from blemore.data.folds import made_folds
from blemore.data.sheet import typed
from blemore.data.validation import validate


def checked_sheet(catalogue: Catalogue) -> pd.DataFrame:
    """All clips with the official columns, `split`, `shard` and `video`; folds made where the configuration says so.

    Raises:
        BadInput: as `validate`.
    """
    validate(catalogue)
    names = catalogue.video_names
    rows = [
        {**clip.row, "fold": "" if clip.fold is None else str(clip.fold), "split": clip.split, "shard": clip.shard, "video": names[clip.clip]}
        for clip in catalogue.clips
    ]
    sheet = typed(pd.DataFrame(rows, columns=[*COLUMNS, "split", "shard", "video"]))
    if catalogue.makes_folds:
        train = sheet["split"] == "train"
        sheet.loc[train, "fold"] = made_folds(sheet[train], **catalogue.data["made_folds"])
    return sheet
