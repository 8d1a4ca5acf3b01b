"""Extraction beside the plain use of the libraries: python benchmarks/features.py [speech|pooling|throughput]…

speech      wav2vec2-large (random weights): our extraction against the library's loop that runs all layers and keeps their states
pooling     the seven statistics against numpy's functions, one by one
throughput  seconds of one core and peak memory of every kind of encoder at its real size (random weights), for a clip of 4 s
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow/scripts")]

RATE_HZ, LAYERS, CORES = 16000, (6, 12), 2
PERCENTILES = (10, 25, 50, 75, 90)
# A clip of 4 s as the media stage leaves it: 10 pictures a second of 256 pixels, and 2 s for embedders.
PICTURES, SENT_S, SENT_FPS = (40, 256, 455, 3), 2, 30


def waveforms(clips: int) -> list[NDArray[np.float32]]:
    """Noise of 2 to 6 seconds."""
    rng = np.random.default_rng(0)
    return [rng.normal(0, 0.1, int(RATE_HZ * seconds)).astype(np.float32) for seconds in np.linspace(2, 6, clips)]


def plainly(folder: str) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """As the library's page shows it, with as many threads as there are cores."""
    import torch
    from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.set_num_threads(CORES)
    extractor, model = Wav2Vec2FeatureExtractor.from_pretrained(folder), Wav2Vec2Model.from_pretrained(folder).eval()

    def embed(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        inputs = extractor(waveform, sampling_rate=RATE_HZ, return_tensors="pt")
        with torch.inference_mode():
            states = model(inputs.input_values, output_hidden_states=True).hidden_states
        return numpy_statistics(torch.stack(states[LAYERS[0] : LAYERS[1] + 1]).mean(0)[0].numpy())

    return embed


def ours(folder: str, precision: str) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """What a job of embed_wav2vec2 does."""
    from blemore.features.pooling import segment_statistics
    from blemore.features.wav2vec2 import LayerMean
    from blemore.torch_setup import deterministic

    deterministic()
    encode = LayerMean(folder, "wav2vec2", LAYERS, precision)
    return lambda waveform: segment_statistics(encode(waveform), 1)


def numpy_statistics(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each statistic by its own function."""
    return np.concatenate([frames.mean(0), frames.std(0), *(np.percentile(frames, percent, axis=0) for percent in PERCENTILES)]).astype(np.float32)


EMBEDDERS = {"plain": plainly, "float32": lambda folder: ours(folder, "float32"), "bfloat16": lambda folder: ours(folder, "bfloat16")}


def worker(way: str, folder: str, clips: int, part: int, parts: int, output: str) -> None:
    """Embeds every `parts`-th clip after a line on standard input says so; prints begin, end and peak memory."""
    embed, mine = EMBEDDERS[way](folder), waveforms(clips)[part::parts]
    embed(mine[0][:RATE_HZ])
    print("ready", flush=True)
    sys.stdin.readline()
    begin = time.monotonic()
    vectors = [embed(waveform) for waveform in mine]
    end = time.monotonic()
    np.save(output, np.stack(vectors))
    print(json.dumps([begin, end, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]), flush=True)


def run_workers(way: str, folder: str, clips: int, parts: int) -> tuple[float, float, NDArray[np.float32]]:
    """Seconds from the first begin to the last end, MB of all processes together, and the vectors."""
    outputs = [f"{folder}/{way}{part}.npy" for part in range(parts)]
    commands = [[sys.executable, __file__, "--worker", way, folder, str(clips), str(part), str(parts), outputs[part]] for part in range(parts)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for command in commands]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    begins, ends, memory_mb = zip(*(json.loads(process.communicate()[0]) for process in processes))
    vectors = [None] * clips
    for part, output in enumerate(outputs):
        vectors[part::parts] = list(np.load(output, allow_pickle=False))
    return max(ends) - min(begins), sum(memory_mb), np.stack(vectors)


def speech(clips: int) -> None:
    """Two processes of one thread, as Snakemake runs two shards on two cores, against one process of two threads."""
    with tempfile.TemporaryDirectory() as folder:
        write_speech("wav2vec2", Path(folder))
        plain_s, plain_mb, expected = run_workers("plain", folder, clips, 1)
        print(f"plain loop   {plain_s:6.1f} s  {plain_mb:6.0f} MB  one process, {CORES} threads")
        for precision in ("float32", "bfloat16"):
            for parts in (CORES, 1):
                seconds, memory_mb, found = run_workers(precision, folder, clips, parts)
                same = f"largest difference {np.abs(found - expected).max():.1e}, correlation {np.corrcoef(found.ravel(), expected.ravel())[0, 1]:.5f}"
                print(f"ours {precision:8s}{seconds:6.1f} s  {memory_mb:6.0f} MB  {parts} x 1 thread, {plain_s / seconds:.2f}x, {same}", flush=True)


def pooling(clips: int) -> None:
    """Both ways on the same frames, repeated alternately; the fastest of each counts."""
    from blemore.features.pooling import temporal_statistics

    for length in (50, 200, 600):
        frames = np.random.default_rng(0).normal(size=(length, 1024)).astype(np.float32)
        times: dict[str, list[float]] = {"numpy": [], "ours": []}
        for _ in range(clips):
            for name, pool in (("numpy", numpy_statistics), ("ours", temporal_statistics)):
                begin = time.perf_counter()
                pool(frames)
                times[name].append(time.perf_counter() - begin)
        numpy_ms, ours_ms = (1000 * min(times[name]) for name in ("numpy", "ours"))
        difference = np.abs(numpy_statistics(frames) - temporal_statistics(frames)).max()
        print(f"({length:3d}, 1024)  numpy {numpy_ms:6.1f} ms  ours {ours_ms:6.1f} ms  {numpy_ms / ours_ms:.1f}x, largest difference {difference:.1e}")


def write_speech(kind: str, folder: Path) -> None:
    """The large architecture: wav2vec2 with group norm, as the paper's; WavLM and HuBERT with layer norm."""
    import transformers

    name = {"wav2vec2": "Wav2Vec2", "wavlm": "WavLM", "hubert": "Hubert"}[kind]
    large = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
    layer_norm = {} if kind == "wav2vec2" else {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
    save(getattr(transformers, f"{name}Model"), getattr(transformers, f"{name}Config")(**large, **layer_norm), folder)
    transformers.Wav2Vec2FeatureExtractor(return_attention_mask=False).save_pretrained(folder)


def write_pictures(kind: str, folder: Path) -> None:
    """The base size of each."""
    from transformers import (
        BitImageProcessor,
        CLIPConfig,
        CLIPImageProcessor,
        CLIPModel,
        Dinov2Config,
        Dinov2Model,
        DINOv3ViTConfig,
        DINOv3ViTImageProcessor,
        DINOv3ViTModel,
        SiglipConfig,
        SiglipImageProcessor,
        SiglipModel,
        VideoMAEImageProcessor,
        XCLIPConfig,
        XCLIPModel,
    )

    base = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    model, config, processor = {
        "clip": (CLIPModel, CLIPConfig(), CLIPImageProcessor()),
        "dinov2": (Dinov2Model, Dinov2Config(image_size=518, patch_size=14), BitImageProcessor(size={"shortest_edge": 256}, crop_size=224)),
        "dinov3": (DINOv3ViTModel, DINOv3ViTConfig(**base, num_register_tokens=4), DINOv3ViTImageProcessor(size={"height": 224, "width": 224})),
        "siglip2": (SiglipModel, SiglipConfig(), SiglipImageProcessor()),
        "xclip": (XCLIPModel, XCLIPConfig(), VideoMAEImageProcessor()),
    }[kind]
    save(model, config, folder)
    processor.save_pretrained(folder)


def save(model: Any, config: Any, folder: Path) -> None:
    import torch

    torch.manual_seed(0)
    model(config).save_pretrained(folder)


def write_swin(size: str, folder: Path) -> None:
    import torch
    from torchvision.models.video import swin3d_b, swin3d_s, swin3d_t

    torch.save({"t": swin3d_t, "s": swin3d_s, "b": swin3d_b}[size]().state_dict(), folder / "weights.pth")


def encoder(name: str, folder: Path) -> tuple[Callable[[Any], Any], Any]:
    """An encoder of real size, and what it is given of a clip."""
    rng = np.random.default_rng(0)
    sound, pictures = rng.normal(0, 0.1, 4 * RATE_HZ).astype(np.float32), rng.integers(0, 256, PICTURES, np.uint8)
    if name == "prosody":
        from blemore.features.prosody import prosody_frames

        return lambda wave: prosody_frames(wave, RATE_HZ, 65.0, 1000.0, 0.01), sound
    if name in ("wav2vec2", "wavlm", "hubert"):
        from blemore.features.wav2vec2 import LayerMean

        write_speech(name, folder)
        return LayerMean(folder, name, LAYERS), sound
    if name.startswith("swin3d"):
        from blemore.features.videoswin import VideoSwin

        write_swin(name[-1], folder)
        return VideoSwin(folder / "weights.pth", 16), pictures
    write_pictures(name, folder)
    if name == "xclip":
        from blemore.features.video import Recording, XClip

        return XClip(folder), Recording(rng.integers(0, 256, (SENT_S * SENT_FPS, 720, 1280, 3), np.uint8), np.zeros(SENT_S * 48000, np.float32))
    from blemore.features.image import ImageEncoder

    return ImageEncoder(folder, name), pictures


THROUGHPUT = ("prosody", "wav2vec2", "wavlm", "hubert", "clip", "dinov2", "dinov3", "siglip2", "swin3d_t", "swin3d_s", "swin3d_b", "xclip")


def measure_one(name: str, clips: int) -> None:
    """Prints seconds of one core for a clip, after a first one, and the peak memory of the process."""
    from blemore.torch_setup import deterministic

    deterministic()
    with tempfile.TemporaryDirectory() as folder:
        embed, clip = encoder(name, Path(folder))
        embed(clip)
        begin = time.perf_counter()
        for _ in range(clips):
            embed(clip)
        seconds = (time.perf_counter() - begin) / clips
    print(f"{name:9s}  {seconds:6.2f} s a clip  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:6.0f} MB", flush=True)


def throughput(clips: int) -> None:
    for name in THROUGHPUT:
        subprocess.run([sys.executable, __file__, "--one", name, "--clips", str(max(1, clips // 20))], check=True, stderr=subprocess.DEVNULL)


PARTS = {"speech": speech, "pooling": pooling, "throughput": throughput}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all of them if none is named")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--worker", nargs=6, help=argparse.SUPPRESS)
    parser.add_argument("--one", choices=THROUGHPUT, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        way, folder, clips, part, parts, output = arguments.worker
        worker(way, folder, int(clips), int(part), int(parts), output)
    elif arguments.one:
        measure_one(arguments.one, arguments.clips)
    else:
        for part in arguments.parts or PARTS:
            PARTS[part](arguments.clips)
