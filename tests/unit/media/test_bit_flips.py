"""One flipped bit in a store of the media stage: its readers say so, or give what was written."""

import numpy as np
import pytest

from blemore.job import BadInput
from blemore.media.frames import encode_jpeg, read_frames
from blemore.media.shard import finish_store, new_store, read_clip, write_clip
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


def outcomes(tmp_path, kind, flips, seed) -> list[str]:
    path = write(tmp_path / "A1.h5", kind)
    whole, expected, generator, said = path.read_bytes(), everything(path, kind), np.random.default_rng(seed), []
    for _ in range(flips):
        damaged = bytearray(whole)
        damaged[generator.integers(len(whole))] ^= 1 << int(generator.integers(8))
        path.write_bytes(damaged)
        try:
            assert everything(path, kind) == expected
        except BadInput as error:
            said.append(str(error))
    return said


@pytest.mark.parametrize("kind", ["track", "faces", "body"])
def test_a_flipped_bit_never_gives_other_frames_or_boxes(tmp_path, kind):
    said = outcomes(tmp_path, kind, flips=60, seed=1)
    assert len(said) > 15
    assert all(str(tmp_path / "A1.h5") in one and "\n" not in one and "run " in one for one in said)


@pytest.mark.soak
@pytest.mark.parametrize("kind", ["track", "faces", "body"])
def test_none_of_thousands_of_flipped_bits_gives_other_frames_or_boxes(tmp_path, kind):
    assert len(outcomes(tmp_path, kind, flips=1500, seed=2)) > 400


def test_the_damaged_frame_is_named_and_the_others_are_read(tmp_path):
    path = write(tmp_path / "A1.h5", "faces")
    jpeg, whole = arrays("faces", 4)["jpeg"][1].tobytes(), path.read_bytes()
    path.write_bytes(whole.replace(jpeg, jpeg[:-9] + bytes([jpeg[-9] ^ 1]) + jpeg[-8:]))
    assert len(read_frames(path, "clip4", [0, 2])) == 2
    with pytest.raises(BadInput) as error:
        read_frames(path, "clip4", [0, 1])
    assert str(error.value) == f"{path} is damaged: jpeg of frame 1 of the clip clip4 is not what was written; {REMEDY}"


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
