import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.data.sheets import COLUMNS, FOLDS, SMALL, data_block, row, touch, write_full, write_sheet

from blemore.data import catalogue as module
from blemore.data.catalogue import Catalogue, existing_sheets, missing_videos_paragraph, shard_of
from blemore.job import BadInput


@pytest.fixture
def root(tmp_path):
    (tmp_path / "train_metadata.csv").write_text(SMALL)
    return tmp_path


@pytest.fixture(scope="module")
def full_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("blemore")
    write_full(root)
    return root


def refusal(data) -> str:
    with pytest.raises(BadInput) as refused:
        _ = Catalogue(data).clips
    return str(refused.value)


def test_a_full_size_data_set_has_the_official_counts(full_root):
    catalogue = Catalogue(data_block(full_root))
    assert Counter(clip.split for clip in catalogue.clips) == {"train": 2456, "test": 594}
    assert Counter(clip.fold for clip in catalogue.clips if clip.split == "train") == {fold: clips for fold, (clips, _, _) in FOLDS.items()}
    assert len({clip.actor for clip in catalogue.clips if clip.actor}) == 43
    assert catalogue.folds == [0, 1, 2, 3, 4]
    assert len(catalogue.shards) == 43 + 16
    assert all(clip.video and clip.size_bytes == 0 for clip in catalogue.clips)


def test_parsing_needs_the_standard_library_alone(repository):
    program = "import sys, blemore.data.catalogue, blemore.features.readiness, blemore.configuration\nprint(*{name.partition('.')[0] for name in sys.modules})"
    answer = subprocess.run([sys.executable, "-S", "-c", program], cwd=repository / "workflow/scripts", capture_output=True, text=True, check=True)
    assert set(answer.stdout.split()) - set(sys.stdlib_module_names) - {"__main__"} == {"blemore"}


def test_clip_holds_what_the_sheet_and_the_disk_say(root):
    video = touch(root / "part_01" / "A101_mix_ang_hap_30_70_ver1.MOV", size=7)
    clip = next(clip for clip in Catalogue(data_block(root)).clips if clip.video)
    assert clip[:7] == ("A101_mix_ang_hap_30_70_ver1", "A101", "train", 0, "A101", video, 7)
    assert clip.where == f"{root}/train_metadata.csv line 3"
    assert clip.row["emotion_2"] == "hap"
    assert list(clip.row) == COLUMNS


# By `printf %s test_0001 | sha256sum` and hand: fabb…faaf ends in f, so 15 of 16.
@pytest.mark.parametrize(
    ("clip", "buckets", "shard"),
    [
        ("test_0001", 16, "bucket_15"),
        ("test_0002", 16, "bucket_09"),
        ("test_0594", 16, "bucket_09"),
        ("clip.with-dots", 16, "bucket_10"),
        ("a", 16, "bucket_11"),
        ("test_0001", 1, "bucket_00"),
        ("test_0002", 3, "bucket_02"),
        ("a", 100, "bucket_99"),
    ],
)
def test_bucket_is_the_sha256_of_the_id(clip, buckets, shard):
    assert shard_of(clip, "", buckets) == shard


def test_a_clip_with_an_actor_is_in_its_actors_shard():
    assert shard_of("test_0001", "A102", 16) == "A102"


@given(st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True), unique=True, min_size=2), st.integers(1, 100))
def test_a_clip_never_moves_when_others_come(clips, buckets):
    alone = shard_of(clips[0], "", buckets)
    assert {clip: shard_of(clip, "", buckets) for clip in clips}[clips[0]] == alone
    assert 0 <= int(alone.removeprefix("bucket_")) < buckets


def test_adding_clips_changes_only_the_shards_that_get_them(root):
    for number in range(1, 30):
        touch(root / "test_videos" / f"test_{number:04d}.mov")
    before = Catalogue(data_block(root)).by_shard
    touch(root / "test_videos" / "test_0030.mov")
    after = Catalogue(data_block(root)).by_shard
    assert [shard for shard in after if after[shard] != before.get(shard)] == [shard_of("test_0030", "", 16)]


def test_shards_and_their_clips_are_sorted(root):
    catalogue = Catalogue(data_block(root))
    assert catalogue.shards == ["A101", "A102", "A103"]
    assert [clip.clip for clip in catalogue.by_shard["A101"]] == ["A101_ang_int1_ver1", "A101_mix_ang_hap_30_70_ver1"]


@pytest.mark.parametrize("extension", [".mov", ".MP4", ".mkv", ".mpg", ".webm"])
def test_any_video_extension_is_found_in_any_case(root, extension):
    video = touch(root / "part_02" / f"A102_neu_sit2_ver1{extension}")
    assert [clip.video for clip in Catalogue(data_block(root)).clips if clip.clip == "A102_neu_sit2_ver1"] == [video]


@pytest.mark.parametrize("name", ["A102_neu_sit2_ver1.wav", "A102_neu_sit2_ver1.npy", "._A102_neu_sit2_ver1.mov", "A102_neu_sit2_ver1"])
def test_other_files_are_no_videos(root, name):
    touch(root / "part_01" / name)
    assert not any(clip.video for clip in Catalogue(data_block(root)).clips)


def test_a_folder_named_like_a_video_is_none(root):
    (root / "part_01" / "A102_neu_sit2_ver1.mov").mkdir(parents=True)
    assert not any(clip.video for clip in Catalogue(data_block(root)).clips)


def test_links_in_a_circle_and_into_nothing_are_no_videos(root):
    folder = root / "part_01"
    video = touch(folder / "A102_neu_sit2_ver1.mov")
    for link, target in {"A101_ang_int1_ver1.mov": "A101_ang_int1_ver1.mov", "A103_fea_int2_ver1.mov": "nowhere", "up": ".."}.items():
        (folder / link).symlink_to(target)
    (root / "part_02").symlink_to("part_03")
    (root / "part_03").symlink_to("part_02")
    assert [clip.video for clip in Catalogue(data_block(root)).clips if clip.video] == [video]


@pytest.mark.parametrize("pattern", ["videos", "vid*", ".", "a/b", "{root}/a"])
def test_folders_are_patterns_relative_to_the_root_or_absolute(root, pattern):
    places = {"videos": "videos", "vid*": "videos", ".": "", "a/b": "a/b", "{root}/a": "a"}
    touch(root / places[pattern] / "A102_neu_sit2_ver1.mov")
    assert sum(clip.video is not None for clip in Catalogue(data_block(root, train_videos=[pattern.format(root=root)])).clips) == 1


def test_a_root_with_brackets_is_no_pattern(tmp_path):
    root = tmp_path / "data [copy]"
    touch(root / "part_01" / "A102_neu_sit2_ver1.mov")
    (root / "train_metadata.csv").write_text(SMALL)
    assert sum(clip.video is not None for clip in Catalogue(data_block(root)).clips) == 1


def test_two_patterns_for_one_folder_count_it_once(root):
    touch(root / "part_01" / "A102_neu_sit2_ver1.mov")
    assert Catalogue(data_block(root, train_videos=["part_*", "part_01"])).clips


def test_a_video_that_is_there_twice_is_refused_with_both(root):
    first, second = touch(root / "part_01" / "A102_neu_sit2_ver1.mov"), touch(root / "part_02" / "A102_neu_sit2_ver1.mp4")
    assert refusal(data_block(root)) == f"{root}/train_metadata.csv line 4: the video of A102_neu_sit2_ver1 is there twice, {first} and {second}; keep one."


def test_a_test_video_that_is_there_twice_is_refused_without_a_sheet(root):
    first, second = touch(root / "test_videos" / "test_0001.MOV"), touch(root / "test_videos" / "test_0001.mp4")
    assert refusal(data_block(root)) == f"{first}: the video of test_0001 is there twice, {first} and {second}; keep one."


def test_a_file_that_no_sheet_names_may_be_there_twice(root):
    touch(root / "part_01" / "other.mov")
    touch(root / "part_02" / "other.mov")
    assert len(Catalogue(data_block(root)).clips) == 6


def test_an_extension_in_the_sheet_is_tolerated(root):
    (root / "train_metadata.csv").write_text(SMALL.replace("A102_neu_sit2_ver1,", "A102_neu_sit2_ver1.MOV,"))
    touch(root / "part_01" / "A102_neu_sit2_ver1.mov")
    clip = Catalogue(data_block(root)).by_shard["A102"][1]
    assert (clip.clip, clip.row["filename"], clip.video is None) == ("A102_neu_sit2_ver1", "A102_neu_sit2_ver1", False)


@pytest.mark.parametrize("text", ["\ufeff" + SMALL, SMALL.replace("\n", "\r\n"), SMALL.replace("\n", "\n\n"), SMALL.replace(",", " , "), SMALL.rstrip("\n")])
def test_marks_line_ends_blank_lines_and_spaces_do_not_count(root, text):
    expected = [clip[:7] for clip in Catalogue(data_block(root)).clips]
    (root / "train_metadata.csv").write_bytes(text.encode())
    assert [clip[:7] for clip in Catalogue(data_block(root)).clips] == expected


def test_columns_may_be_in_any_order_and_descriptions_absent(root):
    table = [dict(zip(COLUMNS, line.split(","))) for line in SMALL.splitlines()[1:]]
    kept = [name for name in reversed(COLUMNS) if name not in ("gender", "version", "intensity_level", "situation")]
    expected = [clip[:7] for clip in Catalogue(data_block(root)).clips]
    write_sheet(root / "train_metadata.csv", [{name: clip[name] for name in kept} for clip in table])
    assert [clip[:7] for clip in Catalogue(data_block(root)).clips] == expected


def test_without_a_test_sheet_the_files_are_the_test_clips(root):
    touch(root / "test_videos" / "test_0002.mov")
    touch(root / "test_videos" / "test_0001.mp4")
    clips = [clip for clip in Catalogue(data_block(root)).clips if clip.split == "test"]
    assert [(clip.clip, clip.actor, clip.fold) for clip in clips] == [("test_0001", "", None), ("test_0002", "", None)]


def test_a_test_sheet_says_which_files_are_test_clips(root):
    touch(root / "test_videos" / "test_0002.mov")
    (root / "test_metadata.csv").write_text("filename\ntest_0001\n")
    clips = [clip for clip in Catalogue(data_block(root)).clips if clip.split == "test"]
    assert [(clip.clip, clip.video) for clip in clips] == [("test_0001", None)]


def test_train_only_clips_have_no_fold(root):
    write_sheet(root / "more.csv", [row("B1_x", "B1", 4, "ang"), row("y", "", "", "sad")])
    video = touch(root / "more" / "y.mov")
    clips = [clip for clip in Catalogue(data_block(root, train_only=[{"sheet": "more.csv", "videos": ["more"]}])).clips if clip.split == "train_only"]
    assert [(clip.clip, clip.fold, clip.video) for clip in clips] == [("B1_x", None, None), ("y", None, video)]
    assert clips[1].shard.startswith("bucket_")


def test_clips_are_sorted_by_split_and_id(root):
    write_sheet(root / "more.csv", [row("A0", "B1", "", "ang")])
    touch(root / "test_videos" / "A00.mov")
    clips = Catalogue(data_block(root, train_only=[{"sheet": "more.csv", "videos": []}])).clips
    assert [clip.split for clip in clips] == ["train"] * 6 + ["train_only", "test"]
    assert [clip.clip for clip in clips[:6]] == sorted(clip.clip for clip in clips[:6])


def test_only_actors_keeps_their_clips_and_shards(root):
    touch(root / "test_videos" / "test_0001.mov")
    part, whole = Catalogue(data_block(root, only_actors=["A102"])), Catalogue(data_block(root))
    assert part.by_shard == {"A102": whole.by_shard["A102"]}


def test_an_unknown_actor_is_refused_with_the_nearest(root):
    assert refusal(data_block(root, only_actors=["A102", "A1O3"])) == "data.only_actors names A1O3, an actor of no clip: did you mean A103?"


def test_made_folds_are_known_by_number_alone(root):
    catalogue = Catalogue(data_block(root, folds="made"))
    assert catalogue.folds == [0, 1, 2]
    assert {clip.fold for clip in catalogue.clips} == {None}


def test_folds_are_those_that_hold_train_clips(root):
    (root / "train_metadata.csv").write_text(SMALL.replace(",1\n", ",7.0\n"))
    assert Catalogue(data_block(root)).folds == [0, 2, 7]


def test_video_names_of_missing_videos_take_the_usual_extension(root):
    assert {name[-4:] for name in Catalogue(data_block(root)).video_names.values()} == {".mov"}
    for name in ("A101_ang_int1_ver1.MKV", "A102_neu_sit2_ver1.MKV", "A103_fea_int2_ver1.mp4"):
        touch(root / "part_01" / name)
    names = Catalogue(data_block(root)).video_names
    assert names["A103_fea_int2_ver1"] == "A103_fea_int2_ver1.mp4"
    assert names["A103_mix_fea_sad_70_30_ver1"] == "A103_mix_fea_sad_70_30_ver1.MKV"


def test_video_names_digest_follows_names_and_not_content(root):
    video = touch(root / "part_01" / "A101_ang_int1_ver1.mov", size=1)
    before = Catalogue(data_block(root)).video_names_digest
    touch(video, size=2)
    assert Catalogue(data_block(root)).video_names_digest == before
    video.rename(video.with_suffix(".mp4"))
    renamed = Catalogue(data_block(root)).video_names_digest
    assert renamed != before
    touch(root / "test_videos" / "test_0001.mp4")
    assert Catalogue(data_block(root)).video_names_digest not in (before, renamed)


def test_existing_sheets_leave_out_an_absent_test_sheet(root):
    more = [{"sheet": "more.csv", "videos": []}]
    assert existing_sheets(data_block(root, train_only=more)) == [root / "train_metadata.csv", root / "more.csv"]
    (root / "test_metadata.csv").write_text("filename\n")
    assert existing_sheets(data_block(root)) == [root / "train_metadata.csv", root / "test_metadata.csv"]
    assert existing_sheets(data_block(root, test_sheet=None)) == [root / "train_metadata.csv"]


PARAGRAPH = (
    "The data set is not there: {what}. BLEMORE can be had from Zenodo, record 17787362 (https://zenodo.org/records/17787362), under its access conditions; "
    "unpack it into {root}, or name your own folder and files with the settings data.root and data.{setting} in a file given by --configfile. "
    "`make demo` needs none of it: it generates its own data set."
)


def test_a_missing_sheet_gets_one_paragraph(tmp_path):
    what = f"the sheet {tmp_path}/train_metadata.csv is no file"
    assert refusal(data_block(tmp_path)) == PARAGRAPH.format(what=what, root=tmp_path, setting="train_sheet")


def test_a_missing_train_only_sheet_names_its_setting(root):
    what = f"the sheet {root}/more.csv is no file"
    assert refusal(data_block(root, train_only=[{"sheet": "more.csv", "videos": []}])) == PARAGRAPH.format(what=what, root=root, setting="train_only")


def test_missing_videos_get_the_same_paragraph(tmp_path):
    what = f"no video is in part_*, test_videos of {tmp_path}"
    assert missing_videos_paragraph(data_block(tmp_path)) == PARAGRAPH.format(what=what, root=tmp_path, setting="train_videos")


def test_the_settings_listed_are_those_read(root):
    read = set()

    class Recorded(dict):
        def __getitem__(self, name):
            read.add(name)
            return super().__getitem__(name)

    assert Catalogue(Recorded(data_block(root))).clips
    assert Catalogue(Recorded(data_block(root, folds="made"))).folds
    assert read == set(module.SETTINGS)
