import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blemore.data.catalogue import NAME
from blemore.job import BadInput
from blemore.prediction.new_clips import LINKS, NewClips, clip_ids, find_files

DATA = {"buckets": 4}


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def touch(*paths):
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@given(st.lists(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=130), max_size=8, unique=True))
def test_ids_can_name_files_and_are_unique_on_disks_that_ignore_case(names):
    files = [f"in/{name}.mov" for name in names] + [f"other/{name}.mp4" for name in names]
    ids = clip_ids(files)
    assert list(ids) == files
    assert all(NAME.fullmatch(clip) for clip in ids.values())
    assert len({clip.casefold() for clip in ids.values()}) == len(files)


def test_a_plain_name_is_its_own_id_and_others_keep_what_they_can():
    ids = clip_ids(["a/test_0001.mov", "a/my clip (1).mp4", "a/Grüße.mov", "a/twin.mov", "b/TWIN.mov", "a/x-0123456789ab.mov", "a/😀.mov"])
    plain, *others = ids.values()
    assert plain == "test_0001"
    assert [re.sub("-[0-9a-f]{12}$", "-#", clip) for clip in others] == ["my_clip_1-#", "Grue-#", "twin-#", "TWIN-#", "x-0123456789ab-#", "clip-#"]


def test_folders_files_and_patterns_are_found_once_without_what_is_hidden_or_no_video():
    touch("in/a.mov", "in/b.MP4", "in/c.txt", "in/.d.mov", "in/deep/e.mov", "one.dat", "[in]/f.mov")
    assert find_files(["in", "in/*.mov", "in/**", "one.dat", "[in]"]) == ["[in]/f.mov", "in/a.mov", "in/b.MP4", "in/deep/e.mov", "one.dat"]


def test_links_in_a_circle_are_no_videos():
    touch("in/a.mov")
    Path("in/b.mov").symlink_to("b.mov")
    Path("in/deep").symlink_to(".")
    assert find_files(["in", "in/**"]) == ["in/a.mov"]


def test_what_stands_for_nothing_is_one_sentence_each():
    touch("in/c.txt")
    with pytest.raises(BadInput) as refused:
        find_files(["in", "nowhere"])
    lines = str(refused.value).splitlines()[1:]
    assert lines == [f"  - predict.videos names {name}, where there is no video; name folders, files or patterns of them." for name in ("in", "nowhere")]
    with pytest.raises(BadInput, match=r"^predict.videos is empty; name the folders or files that are to be predicted.$"):
        find_files([])


def test_a_folder_that_trains_is_refused():
    touch("in/a.mov", "results/data/sheet.csv")
    with pytest.raises(
        BadInput, match=r"^results/ of this folder belongs to a run that trains \(results/data/sheet.csv is there\); name another folder with --directory.$"
    ):
        _ = NewClips(DATA, ["in"]).clips


def test_links_lead_to_the_files_and_follow_them():
    touch("in/a b.mov", "in/c.mov")
    catalogue = NewClips(DATA, ["in"])
    catalogue.make_links()
    assert {clip.split for clip in catalogue.clips} == {"test"}
    assert {os.path.realpath(clip.video) for clip in catalogue.clips} == {os.path.realpath(clip.where) for clip in catalogue.clips}
    Path("in/c.mov").unlink()
    touch("in/d.mov")
    NewClips(DATA, ["in"]).make_links()
    assert sorted(link.readlink().name for link in LINKS.iterdir()) == ["a b.mov", "d.mov"]


def test_while_a_run_may_be_at_work_no_link_to_a_file_goes():
    touch("in/a.mov", "in/b.mov")
    NewClips(DATA, ["in"]).make_links()
    touch("in/c.mov")
    NewClips(DATA, ["in/c.mov"]).make_links(only_absent=True)
    assert sorted(link.readlink().name for link in LINKS.iterdir()) == ["a.mov", "b.mov", "c.mov"]
    Path("in/a.mov").unlink()
    NewClips(DATA, ["in/c.mov"]).make_links(only_absent=True)
    assert sorted(link.readlink().name for link in LINKS.iterdir()) == ["b.mov", "c.mov"]


def test_names_that_are_no_text_become_text():
    Path("in").mkdir()
    os.close(os.open(b"in/\xff.mov", os.O_CREAT))
    (clip,) = NewClips(DATA, ["in"]).clips
    assert clip.where == "in/\\xff.mov"
    assert NAME.fullmatch(clip.clip)
