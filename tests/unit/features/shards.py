"""The media of a small shard as the media stage leaves them, and the job of an extraction script on them."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import soundfile

from blemore.media.clips import AUDIO_RATE_HZ, write_mp4
from blemore.media.frames import encode_jpeg
from blemore.media.shard import finish_folder, finish_store, new_folder, new_store, write_clip
from blemore.stores import MISSING, NO_FACE, OK, Features, read_features, write_json

RATE = 16000
SECONDS = {"a_normal": 1.0, "b_loud": 0.8, "c_short": 0.4, "d_silent": 1.0, "e_faceless": 0.9}
GONE = "f_gone"
CLIPS = (*SECONDS, GONE)
FPS = {"faces": 30, "body": 10, "clips": 10}


def pictures(clip: str, fps: int) -> list[np.ndarray]:
    """A square that moves; which colours and how fast depends on the clip."""
    number = CLIPS.index(clip)
    frames = []
    for index in range(round(SECONDS[clip] * fps)):
        frame = np.full((48, 64, 3), 30 * number, np.uint8)
        left = int(index / fps * (10 + 4 * number))
        frame[16:40, left : left + 20] = (250, 20 * number, 100)
        frames.append(frame)
    return frames


def sound(clip: str, rate_hz: int) -> np.ndarray:
    samples = round(SECONDS[clip] * rate_hz)
    if clip == "d_silent":
        return np.zeros(samples, np.float32)
    time_s = np.arange(samples) / rate_hz
    return (0.3 * np.sin(2 * np.pi * (150 + 40 * CLIPS.index(clip)) * time_s) * (1 + np.sin(9 * time_s)) / 2).astype(np.float32)


def write_shard(folder: Path, clips: tuple[str, ...] = CLIPS) -> Path:
    """audio/, clips/, faces.h5 and body.h5 of the clips in the given order."""
    statuses = {clip: MISSING if clip == GONE else OK for clip in clips}
    there = [clip for clip in clips if clip != GONE]
    audio, short = new_folder(folder / "audio"), new_folder(folder / "clips")
    for clip in there:
        soundfile.write(audio / f"{clip}.flac", sound(clip, RATE), RATE, subtype="PCM_24")
        heard = None if clip == "d_silent" else sound(clip, AUDIO_RATE_HZ)
        write_mp4(short / f"{clip}.mp4", pictures(clip, FPS["clips"]), heard, fps=FPS["clips"], max_height=720, crf=23, audio_bitrate=96000)
    finish_folder(audio, ".flac", statuses, {}, duration_s={clip: SECONDS[clip] for clip in there})
    finish_folder(short, ".mp4", statuses, {})
    for name, unseen in (("faces", {"e_faceless": NO_FACE}), ("body", {})):
        with new_store(folder / f"{name}.h5") as store:
            for clip in there:
                if clip not in unseen:
                    _write_frames(store, clip, FPS[name])
            finish_store(store, {clip: unseen.get(clip, status) for clip, status in statuses.items()}, {})
    return folder


def _write_frames(store: h5py.File, clip: str, fps: int) -> None:
    frames = pictures(clip, fps)
    write_clip(store, clip, jpeg=[encode_jpeg(frame, 95) for frame in frames], timestamps_s=np.arange(len(frames)) / fps)


def run_script(script: str, settings: dict, shard: Path, output: Path, clips: tuple[str, ...] = CLIPS, described: dict | None = None, **more) -> Features:
    """What the script of a rule writes for a shard."""
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / "weights.json", described or {"sha256": {}, "bytes": {}})
    frames = shard / f"{settings.get('frames', 'body')}.h5"
    stores = [str(shard / medium) for medium in settings.get("inputs", ())]
    videos = [str(shard / "clips" / f"{clip}.mp4") for clip in clips if clip != GONE]
    media = {"audio": str(shard / "audio"), "clips": str(shard / "clips"), "frames": str(frames), "videos": videos, "stores": stores}
    inputs = SimpleNamespace(**media, weights=str(output / "weights.json"))
    params = SimpleNamespace(
        cfg=settings,
        code={},
        actors=dict.fromkeys(clips, "A1"),
        clips={clip: None if clip == GONE else 1 for clip in clips},
        audio={"sample_rate_hz": RATE},
        cut={"seconds": 2.0, "fps": FPS["clips"]},
        sending=settings,
        files={},
        limit={"timeout_s": 60.0},
        **more,
        runtime={"device": "cpu", "weights": str(output), "api_replies": str(output / "replies")},
    )
    out = SimpleNamespace(store=str(output / "x.zarr"), manifest=str(output / "x.json"))
    import_module(script).main(SimpleNamespace(input=inputs, output=out, params=params))
    return read_features(out.store)
