"""Gemini Embedding 2: one clip per request, with patience for faults that pass, and no reply paid for twice."""

import errno
import hashlib
import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import numpy as np
from google import genai
from google.auth.exceptions import GoogleAuthError
from google.genai import errors, types
from numpy.typing import NDArray
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_before_delay,
    stop_when_event_set,
    wait_random_exponential,
)

from blemore.features.api_requests import FULL_DIMENSION, api_key
from blemore.features.parts import Part
from blemore.job import BadInput, lock
from blemore.stores import write_json

REFUSED_CODE = 400
RETRIED_CODES = {408, 429, 500, 502, 503, 504}
BAD_REPLIES = 3  # may have been charged for, so not asked for without end
NORM_TOLERANCE = 1e-2
SHOWN_CHARACTERS = 300
ROOM_BYTES = 131_072  # a reply takes about 70,000
BACKOFF = wait_random_exponential(multiplier=1, max=60)


class Denied(BadInput):
    """No request can succeed: key, permission, model."""


class Refused(ValueError):
    """The service will never take this clip."""


class Failed(ValueError):
    """Something that may pass."""

    def __init__(self, reason: str, delay_s: float | None = None) -> None:
        super().__init__(reason)
        self.delay_s = delay_s  # that the server asked for


class BadReply(Failed):
    """The service answered something that is no embedding."""


class Service:
    """Asks for embeddings, on any thread.

    Args:
        model: the service's id of the model.
        platform: `developer`, whose key is in GOOGLE_API_KEY or GEMINI_API_KEY, or `vertex`, with the credentials of Google Cloud.
        timeout_s: seconds that a reply may take.
        patience_s: seconds after which a clip is given up, counted from its first request; and all clips, counted from the last success.

    Raises:
        Denied: if there are no credentials.
    """

    def __init__(self, model: str, platform: str, timeout_s: float, patience_s: float) -> None:
        self._model, self._patience_s, self._key = model, patience_s, api_key()
        options = types.HttpOptions(timeout=round(1000 * timeout_s))
        if platform == "developer" and not (self._key.isascii() and self._key.isprintable()):
            raise Denied("the key in GOOGLE_API_KEY or GEMINI_API_KEY holds characters that no key has; set it again.")
        try:
            if platform == "vertex":
                project, location = os.environ.get("GOOGLE_CLOUD_PROJECT"), os.environ.get("GOOGLE_CLOUD_LOCATION")
                self._client = genai.Client(vertexai=True, project=project, location=location, http_options=options)
            else:
                self._client = genai.Client(vertexai=False, api_key=self._key, http_options=options)
        except (ValueError, GoogleAuthError) as error:
            raise Denied(
                f"the service cannot be asked ({self._said(str(error))}); set GEMINI_API_KEY, or for vertex the project and credentials of Google Cloud."
            ) from None
        self._last_success, self._denied = time.monotonic(), Event()

    def embed(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        """The embedding of one clip, float32 (3072,), of length 1.

        Raises:
            Denied, Refused, Failed: see there; the message never holds the key.
        """
        content = types.Content(parts=[_part(part) for part in parts])
        retrying = Retrying(retry=retry_if_exception_type(Failed), wait=_wait_s, stop=self._given_up, sleep=sleep_using_event(self._denied), reraise=True)
        try:
            return retrying(self._ask, content)
        except Denied:
            self._denied.set()
            raise

    def _ask(self, content: types.Content) -> NDArray[np.float32]:
        try:
            response = self._client.models.embed_content(
                model=self._model, contents=[content], config=types.EmbedContentConfig(output_dimensionality=FULL_DIMENSION)
            )
        except errors.APIError as error:
            raise self._fault(error) from None
        except GoogleAuthError as error:
            raise Denied(f"the credentials of Google Cloud do not work ({self._said(str(error))}); renew them and run again.") from None
        except httpx2.RequestError as error:
            raise Failed(self._said(f"{type(error).__name__} {error}")) from None
        except ValueError as error:  # no JSON, or not of the reply's shape
            raise BadReply(self._said(f"the reply cannot be read: {error}")) from None
        vector = checked(response.embeddings)
        self._last_success = time.monotonic()
        return vector

    def _fault(self, error: errors.APIError) -> Exception:
        said = self._said(f"{error.code} {error.status}: {error.message}")
        if error.code in RETRIED_CODES:
            return Failed(said, server_delay_s(error))
        if error.code == REFUSED_CODE and not _concerns_everyone(error):
            return Refused(said)
        return Denied(f"the service takes no request ({said}); mend the key, its permissions or features.*.model, and run again: replies so far are kept.")

    def _said(self, text: str) -> str:
        """In one line, and without the key, which a server or a library may repeat."""
        hidden = text.replace(self._key, "[key]") if self._key else text
        return " ".join(hidden.split())[:SHOWN_CHARACTERS]

    def _given_up(self, state: RetryCallState) -> bool:
        stops = (stop_before_delay(self._patience_s), stop_when_event_set(self._denied), self._stalled, _paid_often_enough)
        return any(stop(state) for stop in stops)

    def _stalled(self, state: RetryCallState) -> bool:
        return time.monotonic() + state.upcoming_sleep >= self._last_success + self._patience_s


def _part(part: Part) -> types.Part:
    return types.Part.from_text(text=part.data.decode()) if part.mime_type == "text/plain" else types.Part.from_bytes(data=part.data, mime_type=part.mime_type)


def checked(embeddings: Sequence[Any] | None) -> NDArray[np.float32]:
    """The one vector of a reply.

    Raises:
        BadReply: if its count, length, values or norm are not what was asked for.
    """
    if not embeddings or len(embeddings) != 1:
        raise BadReply(f"the reply holds {len(embeddings or [])} embeddings, not one")
    vector = np.array(embeddings[0].values or [], np.float32)
    if len(vector) != FULL_DIMENSION:
        raise BadReply(f"the embedding has {len(vector)} numbers, not {FULL_DIMENSION}")
    if not np.isfinite(vector).all():
        raise BadReply("the embedding holds NaN or infinity")
    if abs(norm := float(np.linalg.norm(vector)) - 1) > NORM_TOLERANCE:
        raise BadReply(f"the embedding has length {norm + 1:.3f}, not 1")
    return vector


def server_delay_s(error: errors.APIError) -> float | None:
    """Seconds that the server asks to wait: `retryDelay` in the error's details, else the header Retry-After; None where neither is."""
    for detail in _details(error):
        if delay := re.fullmatch(r"(\d+(?:\.\d+)?)s", str(detail.get("retryDelay"))):
            return float(delay.group(1))
    header = getattr(error.response, "headers", {}).get("Retry-After", "")
    if header.isdecimal():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _details(error: errors.APIError) -> list[dict[str, Any]]:
    body = error.details.get("error") if isinstance(error.details, dict) else None
    listed = body.get("details") if isinstance(body, dict) else None
    return [detail for detail in listed if isinstance(detail, dict)] if isinstance(listed, list) else []


def _concerns_everyone(error: errors.APIError) -> bool:
    """A wrong key, and a place that the service is not offered in, are 400 too."""
    return error.status == "FAILED_PRECONDITION" or any(str(detail.get("reason")).startswith("API_KEY") for detail in _details(error))


def _wait_s(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.delay_s if isinstance(error, Failed) else None
    return BACKOFF(state) if asked_s is None else asked_s * random.uniform(1, 1.1)


def _paid_often_enough(state: RetryCallState) -> bool:
    return state.attempt_number >= BAD_REPLIES and state.outcome is not None and isinstance(state.outcome.exception(), BadReply)


def embed_all(
    requests: Mapping[str, tuple[Path, Mapping[str, Any]]], parts: Callable[[str], Sequence[Part]], service: Callable[[], Service], concurrency: int
) -> dict[str, NDArray[np.float32] | Refused | Failed]:
    """The embedding of each clip, from its kept reply or from the service, or why there is none. Replies are kept as they arrive.

    Args:
        requests: clip -> where its reply is kept, and what is kept with it.
        parts: what is sent of a clip.
        service: made only if something must be asked.
        concurrency: requests at a time, of this job and all others that keep replies in the same folder.

    Raises:
        Denied: if no request can succeed.
    """
    asked = [clip for clip, (path, _) in requests.items() if not path.is_file()]
    outcomes: dict[str, NDArray[np.float32] | Refused | Failed] = {}
    if asked:
        with _turn(requests[asked[0]][0].parent):
            outcomes = _ask_all({clip: requests[clip] for clip in asked}, parts, service(), concurrency)
    return {clip: outcomes[clip] if clip in outcomes else read_reply(path) for clip, (path, _) in requests.items()}


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One job at a time asks: two that want the same clip would both pay. An orphan of a killed run is waited for."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        lock(file, file.name)
        yield


def _ask_all(
    requests: Mapping[str, tuple[Path, Mapping[str, Any]]], parts: Callable[[str], Sequence[Part]], service: Service, concurrency: int
) -> dict[str, NDArray[np.float32] | Refused | Failed]:
    def ask(clip: str) -> NDArray[np.float32] | Refused | Failed:
        path, request = requests[clip]
        if path.is_file():  # another job had its turn meanwhile
            return read_reply(path)
        if shutil.disk_usage(path.parent).free < ROOM_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path.parent))  # before anything is paid for
        try:
            vector = service.embed(parts(clip))
        except (Refused, Failed) as error:
            print(f"{clip}: {error}", flush=True)
            return error
        write_json(path, {"request": request, "embedding": [float(value) for value in vector], "embedding_sha256": _digest(vector)})
        return vector

    with ThreadPoolExecutor(concurrency) as pool:
        waiting = {clip: pool.submit(ask, clip) for clip in requests}
        try:
            done, _ = wait(waiting.values(), return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(cancel_futures=True)
        for future in done:
            future.result()  # raises what stopped the others
        return {clip: future.result() for clip, future in waiting.items()}


def read_reply(path: Path) -> NDArray[np.float32]:
    """The embedding that is kept.

    Raises:
        BadInput: if the file is not one.
    """
    try:
        reply = json.loads(path.read_text())
        vector = checked([types.ContentEmbedding(values=reply["embedding"])])
        if reply.get("embedding_sha256", _digest(vector)) != _digest(vector):  # older replies have none
            raise ValueError("its numbers are others than its digest says")
        return vector
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"the kept reply {path} is damaged ({' '.join(str(error).split())}); delete it, and its clip is asked for again.") from None


def _digest(vector: NDArray[np.float32]) -> str:
    return hashlib.sha256(vector.tobytes()).hexdigest()


def shortened(vector: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """The first numbers of an embedding, again of length 1. Source: Matryoshka embeddings as the service's `output_dimensionality` cuts them."""
    head = vector[:dimension]
    return (head / np.linalg.norm(head)).astype(np.float32)
