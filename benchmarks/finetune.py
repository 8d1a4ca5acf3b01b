"""Fine-tuning at real size, with random weights: python benchmarks/finetune.py [--device cpu|cuda] [--threads N] [--batch N] [--steps N] [--encoders NAME …]"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import skimage.data
import torch
import yaml
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop, sdpa_flop
from transformers import (
    TimesformerConfig,
    TimesformerForVideoClassification,
    VideoMAEConfig,
    VideoMAEForVideoClassification,
    Wav2Vec2Config,
    Wav2Vec2ForSequenceClassification,
)

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "tests")]

from plain_s4d import plain_s4d  # noqa: E402

from blemore.finetune.clips import Source, Spread, Windows  # noqa: E402
from blemore.finetune.hours import PACES, Pace, hours_of_model  # noqa: E402
from blemore.finetune.pictures import IMAGENET_MEAN, IMAGENET_STD, SHIFTED, Pictures  # noqa: E402
from blemore.finetune.recipes import resolve  # noqa: E402
from blemore.finetune.s4d import S4D, freeze  # noqa: E402
from blemore.media.frames import encode_jpeg  # noqa: E402
from blemore.media.shard import finish_store, new_store, write_clip  # noqa: E402

CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
ENCODERS, MEDIA, RUNTIME = (CONFIG[block] for block in ("features", "media", "runtime"))

CLASSES, AUDIO_HZ = 6, 16000
TRAINED_S, EVALUATED_S = 3.0, 5.5  # of sound
TARGETS = {"cpu": 2, "cuda": 4}
# BLEMORE, five folds: one of five parts of the training clips is scored, one stops the training; in the end all clips are predicted.
FOLDS, TRAIN_CLIPS, STOP_CLIPS, ALL_CLIPS = 5, 1474, 491, 3050
FACES, VIEWS_OF_FACES = (3, 16, 160, 160), (4, 3, 16, 160, 160)
SIDE = 224  # of VideoMAE's and TimeSformer's pictures
STORED_IN = {"s4d": "faces", "videomae": "body", "timesformer": "body"}
STORED_FRAMES = {"faces": 165, "body": 55}  # of 5.5 s
READINGS = 30
CORES = 16
GPU_TFLOPS = 50  # assumed where no GPU is there to measure: what an A100 or H100 easily sustains in bfloat16
# Torch counts attention on GPUs only.
CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: lambda *shapes, **more: sdpa_flop(*shapes[:3]),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: lambda *shapes, **more: sdpa_backward_flop(*shapes[:4]),
}

# The encoders of transformers: model, shape of a clip in training, and of all its views.
OTHERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], tuple[int, ...]]] = {
    "videomae": (lambda: VideoMAEForVideoClassification(VideoMAEConfig(num_labels=CLASSES)), (16, 3, 224, 224), (1, 16, 3, 224, 224)),
    "timesformer": (lambda: TimesformerForVideoClassification(TimesformerConfig(num_labels=CLASSES)), (8, 3, 224, 224), (1, 8, 3, 224, 224)),
    "wav2vec2_finetuned": (
        lambda: Wav2Vec2ForSequenceClassification(Wav2Vec2Config(num_labels=CLASSES, layerdrop=0.0)),
        (int(TRAINED_S * AUDIO_HZ),),
        (1, int(EVALUATED_S * AUDIO_HZ)),
    ),
}

Step = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor | float]]


class Case(NamedTuple):
    """A model as it is trained and evaluated."""

    name: str
    parameters: list[torch.Tensor]
    train: Step  # -> logits and auxiliary loss
    predict: Callable[[torch.Tensor], torch.Tensor]
    trained: tuple[int, ...]  # shape of a clip in training
    evaluated: tuple[int, ...]  # and of all its views that are averaged


class Speed(NamedTuple):
    """What one clip costs."""

    name: str
    train_s: float
    evaluate_s: float  # all its views
    train_tflop: float
    evaluate_tflop: float
    memory_gib: float  # of the GPU, at the batch


def plain(device: str) -> Case:
    """Every expert on every token, gradients everywhere."""
    state = {name: parameter.detach().to(device).requires_grad_() for name, parameter in S4D().named_parameters()}

    def train(clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return plain_s4d(state, clips, noisy=True)

    return Case("s4d, plain", list(state.values()), train, lambda clips: plain_s4d(state, clips).logits, FACES, VIEWS_OF_FACES)


def ours(device: str, frozen_blocks: int = 6, train_dense: bool = False) -> Case:
    """The encoder of the workflow."""
    model = S4D().to(device)
    freeze(model, frozen_blocks, train_dense)

    def train(clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return model.train()(clips), model.auxiliary_loss()

    name = "s4d, all trained" if train_dense else "s4d"
    return Case(name, _trained(model), train, lambda clips: model.eval()(clips), FACES, VIEWS_OF_FACES)


def hugging_face(name: str, device: str) -> Case:
    """One of OTHERS, everything trained."""
    build, trained, evaluated = OTHERS[name]
    model = build().to(device)
    return Case(name, _trained(model), lambda clips: (model.train()(clips).logits, 0.0), lambda clips: model.eval()(clips).logits, trained, evaluated)


def _trained(model: nn.Module) -> list[torch.Tensor]:
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def measure(case: Case, device: str, batch: int, steps: int, half: bool = False) -> Speed:
    """Seconds and operations per clip of a training step (forward, backward, AdamW) and of an evaluation, after one of each to warm up."""
    torch.manual_seed(0)
    clips, views = torch.randn(batch, *case.trained, device=device), torch.randn(case.evaluated, device=device)
    target = torch.rand(batch, CLASSES, device=device).softmax(1)
    optimizer = torch.optim.AdamW(case.parameters, lr=1e-5, fused=True)

    def train() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=half):
            logits, auxiliary = case.train(clips)
        loss = functional.kl_div(logits.float().log_softmax(1), target, reduction="batchmean") + 1e-3 * auxiliary
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    @torch.no_grad()  # in inference mode, operations of convolutions with normalised weights cannot be counted
    def evaluate() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=half):
            case.predict(views)

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    train_flop, evaluate_flop = operations(train), operations(evaluate)
    train_s = seconds(train, device, steps) / batch
    memory = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0
    speed = Speed(case.name, train_s, seconds(evaluate, device, steps), train_flop / batch / 1e12, evaluate_flop / 1e12, memory)
    report(case.name + (", bfloat16" if half else ""), speed, device)
    return speed


def operations(run: Callable[[], None]) -> int:
    """Floating-point operations of matrix products, convolutions and attention; also warms up."""
    with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as counter:
        run()
    return counter.get_total_flops()


def seconds(run: Callable[[], None], device: str, steps: int) -> float:
    """Median time of a run; on the CPU its own time, so that other work on the machine is not in it."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    times = []
    for _ in range(steps):
        wait()
        started = clock_s(device)
        run()
        wait()
        times.append(clock_s(device) - started)
    return statistics.median(times)


def clock_s(device: str) -> float:
    """Seconds that pass, on the CPU those of this process for each of its threads."""
    return time.perf_counter() if device == "cuda" else time.process_time() / torch.get_num_threads()


def report(name: str, speed: Speed, device: str) -> None:
    """One line for a person."""
    memory = f", {speed.memory_gib:.1f} GiB of the GPU" if device == "cuda" else ""
    print(
        f"{name}: {speed.train_s:.3f} s and {speed.train_tflop:.2f} TFLOP per trained clip, {speed.evaluate_s:.3f} s and {speed.evaluate_tflop:.2f} TFLOP "
        f"per evaluated clip ({1 / speed.evaluate_s:.2f} clips/s, {ALL_CLIPS} clips in {ALL_CLIPS * speed.evaluate_s / 3600:.2f} h){memory}",
        flush=True,
    )


def compare(device: str, batch: int, steps: int) -> Speed:
    """S4D against the plain implementation; returns how fast ours is with what training uses by default on the device."""
    peer = measure(plain(device), device, batch, steps)
    measure(ours(device, frozen_blocks=0, train_dense=True), device, batch, steps)
    exact = measure(ours(device), device, batch, steps)
    half = measure(ours(device), device, batch, steps, half=True)
    for name, speed in (("float32", exact), ("bfloat16", half)):
        step, clip = peer.train_s / speed.train_s, peer.evaluate_s / speed.evaluate_s
        print(f"s4d in {name} against plain in float32: {step:.2f}x per training step, {clip:.2f}x per evaluated clip")
    print(f"at least {TARGETS[device]}x per training step is asked for, on {device} in {'float32' if device == 'cpu' else 'bfloat16'}")
    return exact if device == "cpu" else half


class Fold(NamedTuple):
    """What one fold of an encoder takes, in hours: all epochs, each with a look at the clips that stop the training, and all clips in the end."""

    measured: float  # on the device with the threads that were given
    counted: float  # on a GPU by the number of operations


def fold_of(speed: Speed) -> Fold:
    """Sums up what was measured and counted for one clip."""
    paces = Pace(speed.train_s, speed.evaluate_s), Pace(speed.train_tflop / GPU_TFLOPS, speed.evaluate_tflop / GPU_TFLOPS)
    return Fold(*(hours_of_model(pace, epochs_of(speed.name), 1, TRAIN_CLIPS, STOP_CLIPS, ALL_CLIPS) for pace in paces))


def clips_read(encoder: str) -> float:
    """Training views per second that one process decodes and prepares, from a store as the media stage writes it; no sound."""
    medium = STORED_IN[encoder]
    settings, stored = resolve(ENCODERS[encoder]), MEDIA[medium]
    size = settings["sizes"]["image_size"] if encoder == "s4d" else SIDE
    pictures = Pictures(size, IMAGENET_MEAN, IMAGENET_STD, 1, SHIFTED, **settings["augment"])
    media = Windows(pictures, settings["n_frames"], settings["stride"], 1) if encoder == "s4d" else Spread(pictures, settings["n_frames"], 1)
    side = stored["size"] if encoder == "s4d" else stored["short_side"]
    picture = cv2.resize(skimage.data.astronaut(), (side, side), interpolation=cv2.INTER_AREA)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.h5"
        with new_store(path) as store:
            write_clip(store, "clip", jpeg=[encode_jpeg(np.roll(picture, shift, axis=1), stored["quality"]) for shift in range(STORED_FRAMES[medium])])
            finish_store(store, {"clip": 0}, {})
        source, rng = Source("clip", str(path), 0, 0.0), np.random.default_rng(1)
        return 1 / seconds(lambda: media.training(source, rng), "cpu", READINGS)


def report_reading(speeds: Sequence[Speed]) -> None:
    """Whether the processes that read keep a GPU busy."""
    readers = RUNTIME["loader_workers"]
    for speed in speeds:
        read, taken = clips_read(speed.name), GPU_TFLOPS / speed.train_tflop
        print(f"{speed.name}: one process reads {read:.0f} clips/s, {readers} of them {readers * read:.0f}; a GPU at {GPU_TFLOPS} TFLOP/s trains {taken:.0f}")


def epochs_of(encoder: str) -> int:
    """Those of its recipe in config.yaml."""
    return resolve(ENCODERS[encoder])["training"]["epochs"]


def side_by_side(jobs: Sequence[float], places: int) -> float:
    """Hours until all jobs are done, the longest begun first, `places` at a time."""
    until = [0.0] * places
    for job in sorted(jobs, reverse=True):
        until[until.index(min(until))] += job
    return max(until)


def columns(folds: Sequence[Fold], device: str, threads: int) -> str:
    """Hours on one GPU and on 16 cores of five folds of each: measured, or in brackets, counted."""
    measured, counted = ([hours for hours in kind for _ in range(FOLDS)] for kind in zip(*folds))
    if device == "cuda":
        return f"{sum(measured):.1f} | not measured"
    return f"({sum(counted):.1f}) | {side_by_side(measured, CORES // threads):.0f}"


def main() -> None:
    """Measures what is asked for and prints it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=TARGETS, default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU; a job of the workflow has one")
    parser.add_argument("--batch", type=int, help="16 on a GPU, 2 on a CPU")
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--encoders", nargs="+", choices=PACES, default=list(PACES))
    chosen = parser.parse_args()
    device, batch = chosen.device, chosen.batch or (16 if chosen.device == "cuda" else 2)
    torch.set_num_threads(chosen.threads)
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.backends.cpu.get_cpu_capability()}"
    print(f"{where}, {chosen.threads} threads, batches of {batch}, median of {chosen.steps}, torch {torch.__version__}")
    speeds = [compare(device, batch, chosen.steps)] if "s4d" in chosen.encoders else []
    for name in OTHERS:  # one after another, so that each has the memory to itself
        if name in chosen.encoders:
            speeds.append(measure(hugging_face(name, device), device, batch, chosen.steps, half=device == "cuda"))
    print(f"\n| encoder | epochs | s per trained clip | s per evaluated clip | hours on one GPU | hours on {CORES} cores |\n|" + " --- |" * 6)
    for speed in speeds:
        print(
            f"| {speed.name} | {epochs_of(speed.name)} | {speed.train_s:.2f} | {speed.evaluate_s:.2f} | {columns([fold_of(speed)], device, chosen.threads)} |"
        )
    print(f"| all | | | | {columns([fold_of(speed) for speed in speeds], device, chosen.threads)} |")
    report_reading([speed for speed in speeds if speed.name in STORED_IN])
    print(f"`check` and the run times of jobs go by the seconds of one core in blemore/finetune/hours.py: {PACES}")
    print(
        f"{FOLDS} folds of {TRAIN_CLIPS} training clips, {STOP_CLIPS} looked at after each epoch, {ALL_CLIPS} predicted in the end; reading clips is not in it"
    )
    if device == "cpu":
        print(f"in brackets: not measured, but counted operations at {GPU_TFLOPS} TFLOP/s; folds run side by side, each with the threads above")


if __name__ == "__main__":
    main()
