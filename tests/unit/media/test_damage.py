"""Damaged videos: what decodes and a status, or one clause; never a crash."""

import numpy as np
import pytest

from blemore.media.audio import read_sound
from blemore.media.video import Unusable, iter_video

FILES = ["talkers/lbax4n.mpg", "cases/single_face.mp4", "cases/rotated_270_mono.mp4"]


def damaged(content: bytes, seed: int) -> bytes:
    """Cut at a random place, or with up to 200 bytes changed, or both."""
    generator = np.random.default_rng(seed)
    data = np.frombuffer(content, np.uint8).copy()
    if seed % 2:
        places = generator.integers(0, len(data), generator.integers(1, 200))
        data[places] = generator.integers(0, 256, len(places))
    if seed % 3 == 0:
        data = data[: generator.integers(0, len(data))]
    return data.tobytes()


def outcome(path) -> str:
    """`decoded`, or what is said of the file."""
    try:
        frames = sum(1 for _ in iter_video(path, 10))
        sound = read_sound(path, 16000)
    except Unusable as error:
        return str(error)
    assert frames >= 0
    assert np.isfinite(sound.samples).all()
    return "decoded"


def attack(media_folder, tmp_path, name, seeds) -> list[str]:
    content = (media_folder / name).read_bytes()
    path = tmp_path / f"damaged{name[-4:]}"
    said = []
    for seed in seeds:
        path.write_bytes(damaged(content, seed))
        said.append(outcome(path))
    return said


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_video_decodes_or_says_why_not(media_folder, tmp_path, name):
    said = attack(media_folder, tmp_path, name, range(6))
    assert all("\n" not in one and "Traceback" not in one for one in said)


@pytest.mark.soak
@pytest.mark.parametrize("name", FILES)
def test_hundreds_of_damaged_videos_decode_or_say_why_not(media_folder, tmp_path, name):
    said = attack(media_folder, tmp_path, name, range(6, 156))
    assert len(said) == 150
    assert said.count("decoded") > 10
