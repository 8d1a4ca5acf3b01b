"""One flipped bit in a store of the media stage: its readers say so, or give what was written."""

import os

import numpy as np
import pytest

from blemore.job import BadInput
from blemore.media import shard
from blemore.media.frames import encode_jpeg, read_frames
from blemore.media.shard import USER_BLOCK_BYTES, finish_store, new_store, read_clip, store_digest, write_clip
from blemore.media.tracks import FaceTrack, read_fps, read_track
from blemore.stores import NO_FACE, OK, manifest_path, write_json

STATUSES = {f"clip{number}": OK for number in range(10)} | {"faceless": NO_FACE}  # HDF5 keeps more than eight clips in another way than a few
FRAMES = 3
DETECTED = np.array([True, False, True])
REMEDY = "delete it and its manifest and run again."


def arrays(kind: str, number: int) -> dict:
    generator = np.random.default_rng(number)
    boxes = generator.random((FRAMES, 4)).astype(np.float32)
    if kind == "track":
        landmarks = generator.random((FRAMES, 5, 2)).astype(np.float32)
        return FaceTrack(boxes, landmarks, np.array([0.9, np.nan, 0.8], np.float32), DETECTED)._asdict()
    jpeg = [encode_jpeg(generator.integers(0, 256, (8, 8, 3), np.uint8), 90) for _ in range(FRAMES)]
    return {"jpeg": jpeg, "timestamps_s": np.arange(FRAMES) / 10} | ({"boxes": boxes} if kind == "body" else {"detected": DETECTED})


def write(path, kind):
    with new_store(path) as store:
        store.attrs["fps"] = 30
        for number, clip in enumerate(STATUSES):
            if STATUSES[clip] == OK:
                write_clip(store, clip, **arrays(kind, number))
        finish_store(store, STATUSES, {"settings": {}})
    return path


def everything(path, kind) -> list:
    """All that readers give of a store, to the bit."""
    found = []
    for clip, status in STATUSES.items():
        if kind == "track":
            read, values = read_track(path, clip)
            found += [read, read_fps(path), *(np.asarray(value).tobytes() for value in values)]
        else:
            read, named = read_clip(path, clip, ["timestamps_s", "boxes", "detected"])
            found += [read, *((name, value.tobytes()) for name, value in named.items())]
            found += [read_frames(path, clip, [1]).tobytes(), read_frames(path, clip, [2, 0]).tobytes()] if status == OK else []
    return found


@pytest.mark.parametrize("kind", ["track", "faces", "body"])
def test_a_flipped_bit_never_gives_other_frames_or_boxes(tmp_path, kind):
    path = write(tmp_path / "A1.h5", kind)
    whole, expected, generator = path.read_bytes(), everything(path, kind), np.random.default_rng(1)
    for _ in range(300):
        damaged, offset = bytearray(whole), int(generator.integers(USER_BLOCK_BYTES, len(whole)))
        damaged[offset] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        for read in (everything, store_digest):
            with pytest.raises(BadInput) as error:
                read(path, kind)
            assert str(error.value) == f"{path} is damaged (its bytes are not those that were written); {REMEDY}"
    path.write_bytes(whole)
    assert everything(path, kind) == expected


@pytest.mark.parametrize("offset", [0, 8, 14])
def test_a_damaged_checksum_is_damage(tmp_path, offset):
    path = write(tmp_path / "A1.h5", "track")
    damaged = bytearray(path.read_bytes())
    damaged[offset] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(BadInput, match="are not those that were written"):
        read_fps(path)


def test_a_store_is_compared_once_and_again_when_it_changes(tmp_path, monkeypatch):
    path, compared, checksum = write(tmp_path / "A1.h5", "faces"), [], shard._checksum
    monkeypatch.setattr(shard, "_checksum", lambda path: compared.append(path) or checksum(path))
    os.utime(path, (0, 0))
    for _ in range(3):
        read_frames(path, "clip4", [0])
    assert len(compared) == 1
    os.utime(path, (1, 1))
    read_frames(path, "clip4", [0])
    assert len(compared) == 2


@pytest.mark.parametrize("jpeg", [b"", b"no picture", encode_jpeg(np.zeros((8, 8, 3), np.uint8), 90).tobytes()[:100]])
def test_what_was_written_as_a_frame_and_is_no_jpeg_is_one_sentence(tmp_path, jpeg):
    with new_store(tmp_path / "A1.h5") as store:
        write_clip(store, "a", jpeg=[np.frombuffer(jpeg, np.uint8)])
        finish_store(store, {"a": OK}, {})
    with pytest.raises(BadInput) as error:
        read_frames(tmp_path / "A1.h5", "a", [0])
    assert str(error.value) == f"{tmp_path}/A1.h5 is damaged: frame 0 of the clip a is no JPEG; {REMEDY}"


@pytest.mark.parametrize("n_frames", [2, 0, None])
def test_a_clip_of_another_number_of_frames_than_its_manifest_tells_is_refused(tmp_path, n_frames):
    path = write(tmp_path / "A1.h5", "track")
    write_json(manifest_path(path), {"status": {"clip0": "ok"}, "n_frames": {"clip0": n_frames}})
    with pytest.raises(BadInput, match="does not hold the clip clip0 as its manifest says"):
        read_track(path, "clip0")
