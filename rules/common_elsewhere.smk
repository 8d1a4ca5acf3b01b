# Inputs and params of rules/elsewhere.smk.
from functools import cache

from blemore.features import imported, programs
from blemore.features import provided_files as provided
from blemore.settings import sha256


def external_media(wildcards):
    """The media that a user's encoder reads besides the videos themselves."""
    inputs = config["features"][wildcards.encoder]["inputs"]
    return [medium for medium in inputs if medium != "videos"]


def external_manifests(wildcards):
    return [
        f"results/media/{medium}/{wildcards.shard}.json"
        for medium in external_media(wildcards)
    ]


def external_stores(wildcards):
    """HDF5 files of frames, folders of sound and clips."""
    return [
        f"results/media/{medium}/{wildcards.shard}"
        + (".h5" if medium in ("faces", "body") else "")
        for medium in external_media(wildcards)
    ]


def external_videos(wildcards):
    inputs = config["features"][wildcards.encoder]["inputs"]
    return shard_videos(wildcards) if "videos" in inputs else []


def external_files(wildcards):
    """The files of a user's encoder; an edit makes it stale, and one that is gone counts as its stores know it."""
    shard = f"results/features/shards/{wildcards.encoder}/{wildcards.shard}.zarr"
    stores = [shard, f"results/features/{wildcards.encoder}.zarr"]
    return programs.versions(config["features"][wildcards.encoder], stores)


def external_minutes(wildcards, attempt):
    limit_s = config["features"][wildcards.encoder]["timeout_s"]
    return math.ceil((10 + limit_s / 60) * attempt)


@cache
def provided_files(encoder):
    """Clip id -> file, size and actor: a file that comes, goes or is replaced makes the import stale."""
    return provided.provided_files(CATALOGUE, config["features"][encoder])


def importable(kind, is_there):
    """Constrains the wildcard to encoders of a kind whose files are there, or that were never imported: where they are gone, what was imported counts as given."""
    names = [
        name
        for name, encoder in config["features"].items()
        if encoder["kind"] == kind
        and (
            is_there(encoder)
            or not all(Path(manifest).is_file() for manifest in encoder_stores(name))
        )
    ]
    return "|".join(names) or "none"


def some_folder(encoder):
    places = [encoder[part] for part in ("train", "test") if encoder[part]]
    return any(Path(config["data"]["root"], place).exists() for place in places)


def all_files(encoder):
    places = imported.places(config["data"]["root"], encoder["files"])
    return all(file.is_file() for file in places)


def imported_files(wildcards):
    """Each file of predictions and its digest: an edit makes the import stale."""
    named = config["features"][wildcards.encoder]["files"]
    files = imported.places(config["data"]["root"], named)
    return {str(file): sha256(file) for file in files if file.is_file()}


def joined_stores(pattern):
    """The gathered stores that a concatenation is made of, in its order."""
    return lambda wildcards: expand(
        pattern, encoder=config["concatenations"][wildcards.encoder]
    )
