"""Sheets for tests: a small valid one as text, and one of BLEMORE's full size."""

import csv
from itertools import combinations, count, cycle
from pathlib import Path
from typing import Any

SMALL = """filename,video_id,gender,mix,emotion_1,version,intensity_level,situation,emotion_2,emotion_1_salience,emotion_2_salience,fold
A101_ang_int1_ver1,A101,f,0,ang,ver1,int1,,,,,0
A101_mix_ang_hap_30_70_ver1,A101,f,1,ang,ver1,,,hap,30,70,0
A102_neu_sit2_ver1,A102,m,0,neu,ver1,,sit2,,,,1
A102_mix_disg_sad_50_50_ver1,A102,m,1,disg,ver1,,,sad,50,50,1
A103_fea_int2_ver1,A103,f,0,fea,ver1,int2,,,,,2
A103_mix_fea_sad_70_30_ver1,A103,f,1,fea,ver1,,,sad,70,30,2
"""
COLUMNS = SMALL.partition("\n")[0].split(",")
FOLDS = {0: (522, 280, 9), 1: (486, 270, 9), 2: (468, 240, 8), 3: (472, 240, 8), 4: (508, 296, 9)}  # clips, blends, actors


def data_block(root: Path, **changes: Any) -> dict[str, Any]:
    """The block `data` of the configuration with BLEMORE's names."""
    block = {
        "root": str(root),
        "train_sheet": "train_metadata.csv",
        "train_videos": ["part_*"],
        "test_sheet": "test_metadata.csv",
        "test_videos": ["test_videos"],
        "train_only": [],
        "only_actors": [],
        "buckets": 16,
        "folds": "sheet",
        "made_folds": {"count": 3, "seed": 1},
    }
    return {**block, **changes}


def row(name: str, actor: str, fold: Any, *emotions: str, ratio: tuple[int, int] | None = None) -> dict[str, Any]:
    """One line of a sheet."""
    blend = len(emotions) == 2
    first, second = ratio if ratio else ("", "")
    return {
        **dict.fromkeys(COLUMNS, ""),
        "filename": name,
        "video_id": actor,
        "mix": int(blend),
        "emotion_1": emotions[0],
        "emotion_2": emotions[1] if blend else "",
        "emotion_1_salience": first,
        "emotion_2_salience": second,
        "fold": fold,
    }


def full_train_rows() -> list[dict[str, Any]]:
    """2,456 clips of 43 actors with the official number of clips and blends in each fold."""
    rows, number = [], count(101)
    blends = [(pair, ratio) for pair in combinations(("ang", "disg", "fea", "hap", "sad"), 2) for ratio in ((50, 50), (70, 30), (30, 70))]
    for fold, (clips, blended, n_actors) in FOLDS.items():
        actors = [f"A{next(number)}" for _ in range(n_actors)]
        for index, ((pair, ratio), actor) in enumerate(zip(cycle(blends), cycle(actors))):
            if index == blended:
                break
            rows.append(row(f"{actor}_mix_{pair[0]}_{pair[1]}_{ratio[0]}_{ratio[1]}_ver{index}", actor, fold, *pair, ratio=ratio))
        for index, (emotion, actor) in zip(range(clips - blended), zip(cycle(("ang", "disg", "fea", "hap", "sad", "neu")), cycle(actors))):
            how = "sit" if emotion == "neu" else "int"
            rows.append(row(f"{actor}_{emotion}_{how}{index % 4 + 1}_ver{index}", actor, fold, emotion))
    return rows


def write_sheet(path: Path, rows: list[dict[str, Any]]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_full(root: Path) -> None:
    """BLEMORE as participants have it: two sheets, parts and test videos, with empty files for videos."""
    write_sheet(root / "train_metadata.csv", full_train_rows())
    write_sheet(root / "test_metadata.csv", [{"filename": f"test_{number:04d}"} for number in range(1, 595)])
    for index, clip in enumerate(full_train_rows()):
        touch(root / f"part_{index % 3 + 1:02d}" / f"{clip['filename']}.mov")
    for number in range(1, 595):
        touch(root / "test_videos" / f"test_{number:04d}.mov")


def touch(path: Path, size: int = 0) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(b"\0" * size)
    return path
