"""The media stage against its peers: python benchmarks/media.py [faces ...] [--media FOLDER] [--device cpu|cuda]"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import imageio_ffmpeg
import numpy as np
import torch
from facenet_pytorch import MTCNN

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from blemore.media.faces import TrackSettings, track_faces
from blemore.media.follow import Detections, Person, Sight, add_found, around, assign, fill, overlap_of
from blemore.media.tracks import FaceTrack
from blemore.media.video import iter_video
from blemore.memory import keep_freed_memory

CORES, REPEATS, PEER_BATCH, FPS = 2, 3, 8, 25
CUT_OUTS = 7  # shifted ones of each frame
START_S = 20  # until all jobs have decoded their clips
FACE_CASES = {"360x288": ["talkers/*.mpg"], "1920x1080": ["cases/several_faces_1080p.mp4"]}
DECODED, LOOPS, DECODE_REPEATS = "cases/several_faces_1080p.mp4", 3, 9
LANDMARKS = ("followed", "detected")
SHARD_CLIPS = 20
SCRIPTS = ("track_faces", "crop_faces", "sample_body_frames", "extract_audio", "cut_clips")
TARGETS = {"360x288": 12, "1920x1080": 40}

Clip = list[np.ndarray]


def faces(media: Path, device: str) -> None:
    """Frames per second of tracking against `MTCNN().detect` on every frame, and how far the landmarks are apart; decoding is excluded."""
    for size, patterns in FACE_CASES.items():
        paths = sorted(path for pattern in patterns for path in media.glob(pattern))
        clips = [decoded(path) for path in paths]
        found, peer = detect_every_frame(clips, device)
        for landmarks in LANDMARKS:
            ours = tracking_speed(paths, TrackSettings(fps=FPS, landmarks=landmarks), device)
            default = TrackSettings().of_size(clips[0][0].shape[:2]).landmarks == landmarks
            wanted = f"the default at this size; at least {TARGETS[size]} is asked for" if default else "if asked for"
            print(f"{size}, {landmarks}: {ours:.0f} frames/s against {peer:.1f} of MTCNN().detect, {ours / peer:.1f}x ({wanted})", flush=True)
        compare(paths, clips, found, device)


def decoded(path: Path) -> Clip:
    """All frames of a recording."""
    return [frame.pixels for frame in iter_video(path, FPS)]


def detect_every_frame(clips: Sequence[Clip], device: str) -> tuple[list[list[Detections]], float]:
    """The faces of every frame by facenet-pytorch with its defaults, and its frames per second in the faster of its two ways."""
    mtcnn = MTCNN(device=torch.device(device))
    torch.set_num_threads(CORES)
    mtcnn.detect(clips[0][0], landmarks=True)
    started = time.perf_counter()
    answers = [[mtcnn.detect(frame, landmarks=True) for frame in clip] for clip in clips]
    single = sum(map(len, clips)) / (time.perf_counter() - started)
    started, count = time.perf_counter(), 0
    for clip in clips:
        batch = np.stack(clip[:PEER_BATCH])
        mtcnn.detect(batch, landmarks=True)
        count += len(batch)
    batched = count / (time.perf_counter() - started)
    print(f"  MTCNN().detect on {CORES} threads: {single:.1f} frames/s one by one, {batched:.1f} in batches of {PEER_BATCH}")
    return [[as_detections(*answer) for answer in clip] for clip in answers], max(single, batched)


def as_detections(boxes: np.ndarray | None, probability: np.ndarray, landmarks: np.ndarray) -> Detections:
    """What `MTCNN.detect` gives for a frame."""
    if boxes is None:
        return Detections(np.empty((0, 4), np.float32), np.empty((0, 5, 2), np.float32), np.empty(0, np.float32))
    return Detections(*(np.asarray(field, np.float32) for field in (boxes, landmarks, probability)))


def tracking_speed(paths: Sequence[Path], settings: TrackSettings, device: str) -> float:
    """Frames per second of two jobs side by side on the CPU, each with half of the clips (one clip: both with it); of one job on a GPU."""
    jobs = CORES if device == "cpu" else 1
    shares = [list(paths[job::jobs]) or list(paths) for job in range(jobs)]
    best = 0.0
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for _ in range(REPEATS):
            spans = list(pool.map(track_share, shares, [settings] * jobs, [device] * jobs, [time.time() + START_S] * jobs))
            best = max(best, sum(count for count, _, _ in spans) / (max(stop for _, _, stop in spans) - min(start for _, start, _ in spans)))
    return best


def track_share(paths: Sequence[Path], settings: TrackSettings, device: str, start: float) -> tuple[int, float, float]:
    """Tracks some clips; frames, and when it began and ended. All jobs begin at the same time, with their clips decoded."""
    clips = [decoded(path) for path in paths]
    list(track_faces([clips[0][:20]], settings, device))
    time.sleep(max(0.0, start - time.time()))
    started = time.time()
    list(track_faces(clips, settings, device, len(clips)))
    return sum(map(len, clips)), started, time.time()


def compare(paths: Sequence[Path], clips: Sequence[Clip], found: Sequence[Sequence[Detections]], device: str) -> None:
    """Prints for each clip how much of the same person's every-frame result is covered, how far the landmarks are apart, and both from `steadied` ones."""
    tracks = [list(track_faces(clips, TrackSettings(fps=FPS, landmarks=landmarks), device)) for landmarks in LANDMARKS]
    for path, clip, detections, *ways in zip(paths, clips, found, *tracks):
        truth = same_person(detections, ways[0], clip[0].shape[:2])
        steady = truth._replace(landmarks=steadied(clip, truth, device))
        for landmarks, track in zip(LANDMARKS, ways):
            errors = landmark_errors(truth, track)
            covered = np.isfinite(errors).sum() / truth.detected.sum()
            print(
                f"  {path.name}, {landmarks}: {covered:.1%} of {truth.detected.sum()} frames covered, landmarks {said(errors)} of the inter-ocular distance"
                f" apart; from the median of {CUT_OUTS} shifted cut-outs they are {said(landmark_errors(steady, track))} apart"
            )
        print(f"  {path.name}: from that median MTCNN().detect itself is {said(landmark_errors(steady, truth))} apart")


def said(errors: np.ndarray) -> str:
    """Mean and median."""
    return f"{np.nanmean(errors):.1%} (median {np.nanmedian(errors):.1%})"


def same_person(found: Sequence[Detections], track: FaceTrack, size: tuple[int, int]) -> FaceTrack:
    """The every-frame result of the person that a track follows."""
    people: list[Person] = []
    for frame, detections in enumerate(found):
        rows = detections.faces()
        add_found(people, rows, assign(people, rows, frame, FPS // 2), frame)
    person = max(people, key=lambda one: sum(overlap_of(face.box, track.boxes[frame]) > 0.2 for frame, face in one.faces.items()))
    return fill(person, Sight(len(found), size, 1, 0, 1))


def landmark_errors(truth: FaceTrack, track: FaceTrack) -> np.ndarray:
    """Mean distance of the five landmarks in each frame, in inter-ocular distances of the every-frame result; NaN where one has none."""
    eyes = np.linalg.norm(truth.landmarks[:, 0] - truth.landmarks[:, 1], axis=1)
    return np.linalg.norm(truth.landmarks - track.landmarks, axis=2).mean(1) / eyes


def steadied(clip: Clip, truth: FaceTrack, device: str) -> np.ndarray:
    """Landmarks (t, 5, 2) that hang on no pixel: in each frame the median of `MTCNN().detect` on cut-outs around the face that begin some pixels apart."""
    mtcnn, generator = MTCNN(device=torch.device(device), keep_all=True), np.random.default_rng(1)
    landmarks = np.full((len(clip), CUT_OUTS, 5, 2), np.nan)
    for frame in np.flatnonzero(truth.detected):
        for index, (x, y) in enumerate(generator.integers(1, 13, (CUT_OUTS, 2))):
            landmarks[frame, index] = detect_in_cut_out(mtcnn, clip[frame], truth.boxes[frame], x, y)
    return np.nanmedian(landmarks, axis=1)


def detect_in_cut_out(mtcnn: MTCNN, frame: np.ndarray, box: np.ndarray, x: int, y: int) -> np.ndarray:
    """Landmarks (5, 2) of the face that overlaps most with a box, found in its surroundings, which begin x and y pixels later; NaN where there is none."""
    (square,) = around(box[np.newaxis])
    room = (square[2] - square[0]) * np.array([-1, -1, 1, 1])
    left, top, right, bottom = (np.clip(square + room, 0, None) + np.array([x, y, x, y])).astype(int)
    boxes, _, landmarks = mtcnn.detect(np.ascontiguousarray(frame[top:bottom, left:right]), landmarks=True)
    overlaps = [] if boxes is None else [overlap_of(np.float32(one) + np.float32([left, top, left, top]), box) for one in boxes]
    return landmarks[int(np.argmax(overlaps))] + [left, top] if overlaps and max(overlaps) >= 0.3 else np.full((5, 2), np.nan)


def decode(media: Path, device: str) -> None:
    """Frames per second of decoding to RGB against the ffmpeg program on one thread: both free to use both cores, and both held to one."""
    path = media / DECODED
    for cores in (range(CORES), range(1)):
        with ProcessPoolExecutor(1, get_context("spawn"), initializer=os.sched_setaffinity, initargs=(0, cores)) as pool:
            ours, program = pool.submit(decoding_speeds, path).result()
        ratios = [one / other for one, other in zip(ours, program)]
        speeds = f"{median(ours):.0f} frames/s against {median(program):.0f} of ffmpeg -threads 1"
        print(f"{len(cores)} core(s): {speeds}, {median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f}; at least 0.9 is asked for)", flush=True)


def decoding_speeds(path: Path) -> tuple[list[float], list[float]]:
    """Frames per second of some turns of `iter_video`, and of the program that writes rgb24 to the null sink; turns alternate."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-threads", "1", "-filter_threads", "1", "-stream_loop", str(LOOPS - 1), "-i", str(path)]
    command += ["-map", "0:v:0", "-fps_mode", "passthrough", "-pix_fmt", "rgb24", "-f", "rawvideo", "-y", os.devnull]
    keep_freed_memory()  # as the scripts of the media stage do
    ours, program = list[float](), list[float]()
    for _ in range(DECODE_REPEATS):
        started = time.perf_counter()
        count = sum(1 for _ in range(LOOPS) for _ in iter_video(path, FPS))
        between = time.perf_counter()
        subprocess.run(command, check=True)
        ours.append(count / (between - started))
        program.append(count / (time.perf_counter() - between))
    return ours, program


def stage(media: Path, device: str) -> None:
    """The scripts of the media stage one after the other on a shard of 20 clips, each in a process of its own."""
    files = sorted(path for kind in ("talkers", "cases") for path in (media / kind).iterdir())
    videos = [files[index % len(files)] for index in range(SHARD_CLIPS)]
    report_scripts(SCRIPTS, videos, device)
    if not torch.cuda.is_available():
        print("no GPU was found: the face stage was not measured on one")
    elif device == "cpu":
        print("on the GPU, where the networks wait in what detection lacks to 100 %:")
        report_scripts(["track_faces"], videos, "cuda")


def long(media: Path, device: str) -> None:
    """The scripts on one video of ten minutes at 1920x1080: their memory."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        copy = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", "142", "-i", str(media / DECODED), "-c", "copy", str(path)]
        subprocess.run(copy, check=True)
        report_scripts(SCRIPTS, [path], device)


def report_scripts(names: Sequence[str], videos: Sequence[Path], device: str) -> None:
    """Prints what each script took; decoding, detection and writing overlap in threads, so that shares may add up to more than the whole."""
    total_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            command = [sys.executable, str(Path(__file__).with_name("media_script.py")), name, folder, device, *map(str, videos)]
            took = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            seconds = took["seconds"]
            total_s += seconds
            shares = ", ".join(f"{part} {spent / seconds:.0%}" for part, spent in took["parts"].items())
            speed = f"{seconds / len(videos):.2f} s per clip, {took['pictures'] / seconds:.0f} decoded pictures/s"
            print(f"  {name}: {speed} ({shares}), {took['memory_mb']:.0f} MB, {took['statuses']}", flush=True)
    print(f"{len(videos)} clip(s): {total_s:.1f} s, {total_s / len(videos):.2f} s per clip on one core")


PARTS: dict[str, Callable[[Path, str], None]] = {"faces": faces, "decode": decode, "stage": stage, "long": long}
ALL = ("faces", "decode", "stage")


def main() -> None:
    """Runs the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all but long, which takes a quarter of an hour")
    parser.add_argument("--media", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "media", help="folder of recordings")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    arguments = parser.parse_args()
    if not (arguments.media / "cases").is_dir():
        sys.exit(f"{arguments.media} holds no recordings (cases, talkers); name their folder with --media.")
    for part in arguments.parts or ALL:
        print(f"{part}:")
        PARTS[part](arguments.media, arguments.device)


if __name__ == "__main__":
    main()
