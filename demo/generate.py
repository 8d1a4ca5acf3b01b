"""Makes a small data set in BLEMORE's shape, the same bytes for the same arguments: python demo/generate.py --output demo/data"""

import argparse
import csv
import hashlib
import json
import multiprocessing
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields, replace
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import av
import cv2
import numpy as np
from checkpoints import write_tiny
from design import ACTOR, CLIP, FPS, PRESETS, Clip, Design, draw_clips, gender, generator, perform, sheet_row
from faces import Face, draw_face, embed, render
from numpy.typing import NDArray
from voices import SAMPLE_RATE_HZ, Voice, draw_voice, speak

PARTS = 2
EMBEDDED_EVERY = 2  # frames
RECIPE = "recipe.json"
QUANTIZER = 8  # of MPEG-4, 1 (best) to 31
LAMBDA_PER_QUANTIZER = 118  # FFmpeg's FF_QP2LAMBDA
WAV2VEC2_LAYERS = 14


def generate(design: Design, output: Path, workers: int = 2) -> None:
    """Makes the whole data set, unless it is there; the number of workers changes no byte. What an interrupted run left is made anew.

    Raises:
        FileExistsError: if `output` holds something else.
    """
    if output.exists():
        _refuse_other(design, output)
        return
    unfinished = output.with_name(f".{output.name}.partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    clips = draw_clips(design)
    for folder in {path.parent for clip in clips for path in clip_files(clip, unfinished)}:
        folder.mkdir(parents=True)
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(partial(make_clip, design=design, root=unfinished), clips, chunksize=4))
    write_sheet([clip for clip in clips if not clip.test], design.folds, unfinished / "train_metadata.csv")
    write_tiny_wav2vec2(unfinished / "weights" / "wav2vec2_tiny", design.seed)
    for kind in ("dinov2", "xclip", "s4d", "videomae", "timesformer", "wav2vec2_finetuned"):
        write_tiny(kind, unfinished / "weights" / f"{kind}_tiny", design.seed)
    (unfinished / RECIPE).write_text(recipe(design))
    unfinished.rename(output)


def recipe(design: Design) -> str:
    """What determines the bytes: the design and the code."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    code = {source.name: hashlib.sha256(source.read_bytes()).hexdigest()[:12] for source in sources}
    return json.dumps({"design": asdict(design), "code": code}, indent=1) + "\n"


def _refuse_other(design: Design, output: Path) -> None:
    made_by = output / RECIPE
    if not made_by.is_file() or made_by.read_text() != recipe(design):
        raise FileExistsError(f"{output} exists and was not made by this code with these arguments; delete it, or name another folder with --output")


def clip_files(clip: Clip, root: Path) -> tuple[Path, Path]:
    """Where a clip's video and its provided feature go."""
    folder = "test_videos" if clip.test else f"part_{clip.actor % PARTS + 1:02d}"
    split = "test" if clip.test else "train"
    return root / folder / f"{clip.name}.mov", root / f"pre_extracted_{split}_data" / f"ImageBind_{split}" / f"{clip.name}.npy"


def make_clip(clip: Clip, design: Design, root: Path) -> None:
    """Writes the video and the provided feature of one clip into folders that exist."""
    cv2.setNumThreads(1)
    rng = generator(design.seed, CLIP, clip.actor, clip.take)
    face, voice = _actor(design.seed, clip.actor, design.width, design.height)
    course = perform(clip, design.seed, round(FPS * rng.uniform(*design.duration_s)), rng)
    frames = list(render(face, course, rng))
    video, feature = clip_files(clip, root)
    write_video(video, frames, speak(voice, course, rng))
    np.save(feature, embed(frames[::EMBEDDED_EVERY]))


@cache
def _actor(seed: int, actor: int, width: int, height: int) -> tuple[Face, Voice]:
    rng = generator(seed, ACTOR, actor, 1)
    return draw_face(rng, width, height), draw_voice(rng, gender(actor))


def write_video(path: Path, frames: list[NDArray[np.uint8]], wave: NDArray[np.float32]) -> None:
    """MPEG-4 and AAC, each encoded by one thread and without dates, so that equal input gives equal bytes.

    Not H.264: at some sizes, 192x160 among them, libx264's bytes vary from run to run, even with one thread.

    Args:
        frames: (h, w, 3) RGB at FPS, even sides.
        wave: (n,) mono at SAMPLE_RATE_HZ.
    """
    one_thread = {"threads": "1", "flags": "+bitexact+qscale"}
    with av.open(str(path), "w", format="mov", container_options={"fflags": "+bitexact"}) as container:
        video = container.add_stream("mpeg4", FPS, options={**one_thread, "global_quality": str(QUANTIZER * LAMBDA_PER_QUANTIZER)})
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        audio = container.add_stream("aac", SAMPLE_RATE_HZ, options={"b": "96000", "threads": "1", "flags": "+bitexact"}, layout="mono")
        for number, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
        sound = av.AudioFrame.from_ndarray(wave[np.newaxis], format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE_HZ, 0, Fraction(1, SAMPLE_RATE_HZ)
        container.mux(video.encode() + audio.encode(sound) + audio.encode())


def write_sheet(clips: list[Clip], folds: int, path: Path) -> None:
    """The official `train_metadata.csv`, rows by file name."""
    rows = [sheet_row(clip, folds) for clip in sorted(clips)]
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_tiny_wav2vec2(folder: Path, seed: int) -> None:
    """A wav2vec2 of the real architecture (group norm, the real kernels and strides), narrow and with random weights."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(seed)
    config = Wav2Vec2Config(hidden_size=64, num_hidden_layers=WAV2VEC2_LAYERS, num_attention_heads=4, intermediate_size=128, conv_dim=(128,) * 7)
    Wav2Vec2Model(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line; sizes that are not named are the preset's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder to make")
    parser.add_argument("--preset", choices=PRESETS, default="default")
    for name in ("seed", "actors", "test_actors", "folds", "clips_per_actor"):
        parser.add_argument(f"--{name.replace('_', '-')}", type=int)
    parser.add_argument("--shuffle-labels", action="store_true", help="what is shown and heard is that of another clip's label")
    parser.add_argument("--workers", type=int, default=2, help="processes; changes no byte")
    return parser.parse_args(words)


def main() -> None:
    """Runs the command line."""
    given = arguments()
    named = {field.name: getattr(given, field.name, None) for field in fields(Design)}
    design = replace(PRESETS[given.preset], **{name: value for name, value in named.items() if value is not None})
    if few := [name for name in ("actors", "folds", "clips_per_actor") if getattr(design, name) < 1]:
        raise SystemExit(f"generate.py: --{few[0].replace('_', '-')} is {getattr(design, few[0])}; give at least 1.")
    try:
        generate(design, given.output, given.workers)
    except FileExistsError as error:
        raise SystemExit(f"generate.py: {error}.") from None


if __name__ == "__main__":
    main()
