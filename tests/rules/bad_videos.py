"""Bad video files of every sort that can be made cheaply, for the whole media stage."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from unit.media.recordings import levels, run_ffmpeg, write_video

# One small file of each sort that people have; the extension of its name says the container.
FORMATS = {
    "h264.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"],
    "faststart.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart"],
    "mpeg4.mov": ["-c:v", "mpeg4", "-c:a", "pcm_s16le"],
    "h264.mkv": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "libopus"],
    "vp8.webm": ["-c:v", "libvpx", "-c:a", "libvorbis"],
    "mpeg4.avi": ["-c:v", "mpeg4", "-c:a", "libmp3lame"],
    "mpeg1.mpg": ["-c:v", "mpeg1video", "-c:a", "mp2"],
    "h264.ts": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"],
    "flv1.flv": ["-c:v", "flv1", "-c:a", "libmp3lame", "-ar", "44100"],
}
CUTS, FLIPS_OF_ENDS, FLIPS = 16, 24, 12  # of each format
ENDS_BYTES = 3000  # where the headers and indices are


def write_formats(folder: Path) -> dict[str, Path]:
    """The whole files that all damaged ones are made of."""
    files = {name: folder / name for name in FORMATS}
    for name, encoding in FORMATS.items():
        encode(files[name], *encoding)
    return files


def encode(path: Path, *encoding: str, size: str = "64x48", rate: int = 25, seconds: float = 0.6) -> Path:
    """A moving test picture and a tone; the options say how they are kept."""
    pictures = f"testsrc=size={size}:rate={rate}:duration={seconds}"
    run_ffmpeg("-f", "lavfi", "-i", pictures, "-f", "lavfi", "-i", f"sine=duration={seconds}", *encoding, path, "-f", "null")
    return path


def mutants(files: dict[str, Path]) -> Iterator[tuple[str, bytes]]:
    """Name and content: cut off at many places, bits flipped at both ends and anywhere, whole ones under every other extension."""
    for file, path in files.items():
        whole, stem, extension = path.read_bytes(), file.replace(".", "_"), path.suffix
        for k in range(1, CUTS + 1):
            yield f"{stem}_cut{k}{extension}", whole[: len(whole) * k // (CUTS + 1)]
        for seed in range(FLIPS_OF_ENDS):
            yield f"{stem}_ends{seed}{extension}", flipped(whole, seed, 1 + seed % 8, ENDS_BYTES)
        for seed in range(FLIPS):
            yield f"{stem}_flip{seed}{extension}", flipped(whole, seed, 4 ** (1 + seed % 4), len(whole))
        for other in sorted({Path(name).suffix for name in files} - {extension}):
            yield f"{stem}_as_{other[1:]}{other}", whole


def flipped(whole: bytes, seed: int, count: int, within: int) -> bytes:
    """So many bits turned over among the first bytes, or as often among the last."""
    generator = np.random.default_rng(seed)
    data = np.frombuffer(whole, np.uint8).copy()
    places = generator.integers(0, min(within, len(data)), count)
    data[places if seed % 2 else -1 - places] ^= np.uint8(1) << generator.integers(0, 8, count).astype(np.uint8)
    return data.tobytes()


def write_odd_entries(folder: Path) -> dict[str, Path]:
    """What is no video at all: empty, text, playlists, a folder, a pipe and links that lead nowhere."""
    folder.mkdir()
    for name, text in {
        "empty": "",
        "text": "this is no video\n" * 1000,
        "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n",
        "concat": "ffconcat version 1.0\nfile secret.mp4\n",
        "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    }.items():
        (folder / f"{name}.mp4").write_text(text)
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "pipe.mp4")
    (folder / "dangling.mp4").symlink_to(folder / "nobody.mp4")
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    (folder / "dark.mp4").write_bytes(b"\0" * 100_000)
    return by_name(folder)


def write_odd_videos(folder: Path) -> dict[str, Path]:
    """Videos that are whole and unusual: in size, rate, length, pixels, channels and tracks."""
    folder.mkdir()
    h264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-preset", "ultrafast")
    write_video(folder / "pixel.mkv", levels(10, 1, 1), range(0, 400, 40))
    write_video(folder / "leap.mkv", levels(10), [*range(0, 360, 40), 2_000_000_000])
    encode(folder / "frame.mp4", *h264, seconds=0.04)
    encode(folder / "thousand_fps.mp4", *h264, rate=1000, seconds=1)
    encode(folder / "surround.mkv", *h264, "-af", "pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0", "-c:a", "aac")
    encode(folder / "wide_pixels.mp4", *h264, "-vf", "setsar=4000/1")
    encode(folder / "flat_pixels.mp4", *h264, "-vf", "setsar=1/4000")
    encode(folder / "sound_only.mp4", "-map", "1:a", "-c:a", "aac")
    encode(folder / "pictures_only.mp4", *h264, "-map", "0:v")
    encode(folder / "picture.png", "-map", "0:v", "-frames:v", "1")
    (folder / "picture.png").rename(folder / "picture.mp4")
    encode(folder / "small.ts", *h264)
    encode(folder / "large.ts", *h264, size="128x96")
    (folder / "changes_size.ts").write_bytes((folder / "small.ts").read_bytes() + (folder / "large.ts").read_bytes())
    return by_name(folder)


def by_name(folder: Path) -> dict[str, Path]:
    """Clip id -> file, for everything in a folder."""
    return {path.stem: path for path in sorted(folder.iterdir())}
