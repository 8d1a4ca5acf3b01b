"""What may be there when `check` looks."""

from pathlib import Path

from unit.data.sheets import touch

from blemore.data.catalogue import Catalogue
from blemore.features.readiness import Readiness, readiness

PROVIDED = ("hicmae", "wavlm", "hubert", "imagebind", "videomaev2", "openface3")
LEAVES = "the first 2 s of each video, faces included, would leave this machine for Google's gemini-embedding-2"


def store(manifest: Path) -> None:
    """The manifest of a gathered store of two clips."""
    touch(manifest)
    manifest.write_text('{"clips": ["a", "b"]}')


def provide(config, *names):
    """Provided features of one train and one test clip."""
    for name in names:
        touch(Path("data", config["features"][name]["train"], "A102_neu_sit2_ver1.npy"))
        touch(Path("data", config["features"][name]["test"], "test_0001.npy"))


def state(config, name) -> Readiness:
    return readiness(name, config, Catalogue(config["data"]))
