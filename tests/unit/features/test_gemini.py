"""The real google-genai client against the stand-in server, fault by fault."""

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from unittest.mock import Mock

import httpx2
import numpy as np
import pytest
from gemini_server import DIMENSION, FAULTS, KEY, GeminiServer, hashed
from google.auth.exceptions import RefreshError
from google.genai import errors
from google.oauth2.credentials import Credentials
from tenacity import wait_none

from blemore.features import gemini
from blemore.features.api_requests import FULL_DIMENSION, api_key, describe_request, endpoint, estimate, reply_path, sampled_frames, unanswered
from blemore.features.gemini import BadReply, Denied, Failed, Refused, Service, embed_all, read_reply, server_delay_s, shortened
from blemore.features.parts import Part
from blemore.job import BadInput
from blemore.settings import sha256

CUT = {"audio_bitrate": 96000, "crf": 23, "fps": 30, "max_height": 720, "seconds": 2.0}
ENCODER = {"model": "gemini-embedding-2", "frames_per_second": 1.0, "sound": False, "instruction": None, "platform": "developer"}
PASSING = ("rate_limit", "unavailable", "html", "closed", "slow", "empty", "short", "nan", "not_unit")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(gemini, "BACKOFF", wait_none())


@pytest.fixture
def serve(monkeypatch):
    """Starts a server that plays the given faults and that the client finds."""
    started = []

    def start(fault=lambda before, digest: None, **settings) -> GeminiServer:
        server = GeminiServer(fault=fault, **settings).__enter__()
        started.append(server)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        return server

    yield start
    for server in started:
        server.__exit__()


def service(timeout_s=5.0, patience_s=5.0, **changes) -> Service:
    return Service(**{"model": "gemini-embedding-2", "platform": "developer", "timeout_s": timeout_s, "patience_s": patience_s} | changes)


def video(content: bytes = b"clip") -> list[Part]:
    return [Part(content, "video/mp4")]


def once(fault):
    return lambda before, digest: fault if before == 0 else None


def always(fault):
    return lambda before, digest: fault


def requests(folder: Path, clips) -> dict:
    described = {clip: describe_request(clip, CUT, ENCODER) for clip in clips}
    return {clip: (reply_path(folder, request), request) for clip, request in described.items()}


def test_one_clip_is_one_request_of_the_documented_form(serve):
    server = serve()
    parts = [Part(b"clip", "video/mp4"), Part(b"sound", "audio/wav"), Part(b"look", "text/plain")]
    assert np.allclose(service().embed(parts), hashed([part.data for part in parts]), atol=1e-6)
    assert server.paths == ["/v1/models/gemini-embedding-2:batchEmbedContents"]
    (request,) = server.bodies[0]["requests"]
    assert request["outputDimensionality"] == DIMENSION == FULL_DIMENSION
    assert re.findall(r"(?:video|audio)/\w+", json.dumps(request)) == ["video/mp4", "audio/wav"]
    assert request["content"]["parts"][2]["text"] == "look"


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_asked_for_again(serve, fault):
    server = serve(once(fault), slow_s=0.6)
    assert np.allclose(service(timeout_s=0.3).embed(video()), hashed([b"clip"]), atol=1e-6)
    assert server.asked.total() == 2


@pytest.mark.parametrize("fault", ["unauthorized", "forbidden", "unknown_model", "bad_key"])
def test_what_holds_for_every_clip_is_never_asked_again(serve, fault):
    server = serve(always(fault))
    sentence = r"^the service takes no request \(4.*\); mend the key, its permissions or features\.\*\.model, and run again: replies so far are kept\.$"
    with pytest.raises(Denied, match=sentence):
        service().embed(video())
    assert server.asked.total() == 1


def test_a_clip_that_is_refused_is_never_asked_again(serve):
    server = serve(always("bad_request"))
    with pytest.raises(Refused, match=r"^400 INVALID_ARGUMENT"):
        service().embed(video())
    assert server.asked.total() == 1


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("empty", "the reply holds 0 embeddings, not one"),
        ("short", "the embedding has 768 numbers, not 3072"),
        ("nan", "the embedding holds NaN or infinity"),
        ("not_unit", r"the embedding has length 2\.000, not 1"),
    ],
)
def test_a_reply_that_is_no_embedding_is_paid_for_three_times_at_most(serve, fault, said):
    server = serve(always(fault))
    with pytest.raises(BadReply, match=said):
        service().embed(video())
    assert server.asked.total() == 3


def test_patience_ends(serve):
    server = serve(always("unavailable"))
    with pytest.raises(Failed, match=r"^503 UNAVAILABLE"):
        service(patience_s=0.5).embed(video())
    assert server.asked.total() > 1


def test_a_wish_of_the_server_beyond_the_patience_is_not_waited_for(serve):
    server = serve(always("rate_limit"), retry_delay_s=3600)
    with pytest.raises(Failed, match=r"^429 RESOURCE_EXHAUSTED"):
        service().embed(video())
    assert server.asked.total() == 1


def test_the_wish_of_the_server_is_obeyed(serve):
    server = serve(once("rate_limit"), retry_delay_s=0.4)
    waited = []
    asking = service()
    asking._denied.wait = lambda timeout=None: waited.append(timeout)
    asking.embed(video())
    assert len(waited) == 1
    assert 0.4 <= waited[0] <= 0.44
    assert server.asked.total() == 2


def test_a_service_that_is_down_costs_one_request_of_each_later_clip(serve, tmp_path):
    server = serve(always("unavailable"))
    asking = service(patience_s=0.3)
    outcomes = embed_all(requests(tmp_path, [f"c{n}" for n in range(20)]), lambda clip: video(clip.encode()), lambda: asking, 2)
    assert all(isinstance(outcome, Failed) for outcome in outcomes.values())
    assert sum(count == 1 for count in server.asked.values()) >= 16


def test_a_connection_that_is_refused_may_pass(serve):
    server = serve()
    server.__exit__()
    with pytest.raises(Failed, match=r"^ConnectError "):
        service(patience_s=0.2).embed(video())


@pytest.mark.parametrize(
    ("details", "headers", "expected"),
    [
        ([{"retryDelay": "7s"}], {}, 7.0),
        ([{"retryDelay": "1.5s"}], {"Retry-After": "9"}, 1.5),
        ([{"other": 1}, "text"], {"Retry-After": "9"}, 9.0),
        ([{"retryDelay": "soon"}], {}, None),
        (None, {"Retry-After": "soon"}, None),
        ([], {}, None),
    ],
)
def test_the_delay_that_a_server_asks_for(details, headers, expected):
    error = errors.APIError(429, {"error": {"details": details}}, httpx2.Response(429, headers=headers))
    assert server_delay_s(error) == expected


def test_a_delay_may_be_a_date():
    header = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    error = errors.APIError(429, [], httpx2.Response(429, headers={"Retry-After": header}))
    assert 55 < server_delay_s(error) <= 60


def test_no_message_holds_the_key(serve, tmp_path, capsys):
    for fault in FAULTS:
        serve(always(fault), slow_s=0.4)
        with pytest.raises((Denied, Refused, Failed)) as error:
            service(timeout_s=0.2, patience_s=0.1).embed(video())
        assert KEY not in str(error.value)
        assert error.value.__cause__ is None


@pytest.mark.parametrize("before", range(gemini.SHOWN_CHARACTERS - len(KEY) - 40, gemini.SHOWN_CHARACTERS, 7))
def test_a_key_at_the_end_of_what_is_shown_is_not_repeated_in_part(serve, before):
    serve()
    said = service()._said(f"{'x' * before}{KEY} is no key.")
    assert not any(KEY[:length] in said for length in range(4, len(KEY) + 1))
    assert len(said) <= gemini.SHOWN_CHARACTERS


@pytest.mark.parametrize("key", ["secret\x00key", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_not_repeated(monkeypatch, key):
    monkeypatch.setenv("GEMINI_API_KEY", key) if "\0" not in key else monkeypatch.setattr(gemini, "api_key", lambda: key)
    with pytest.raises(Denied) as error:
        service()
    assert str(error.value) == "the key in GOOGLE_API_KEY or GEMINI_API_KEY holds characters that no key has; set it again."


def test_a_changed_number_of_a_kept_reply_is_found(serve, tmp_path):
    serve()
    path = tmp_path / "reply.json"
    (vector,) = embed_all({"a": (path, {})}, lambda clip: video(), service, 1).values()
    assert np.array_equal(read_reply(path), vector)
    reply = json.loads(path.read_text())
    reply["embedding"][5] += 1e-4
    path.write_text(json.dumps(reply))
    with pytest.raises(BadInput, match=r"is damaged \(its numbers are others than its digest says\); delete it, and its clip is asked for again\.$"):
        read_reply(path)
    del reply["embedding_sha256"]  # as older code kept it
    path.write_text(json.dumps(reply))
    assert len(read_reply(path)) == FULL_DIMENSION


def test_without_a_key_there_is_no_client(monkeypatch):
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    with pytest.raises(Denied, match=r"^the service cannot be asked \(.*\); set GEMINI_API_KEY, or for vertex the project and credentials of Google Cloud\.$"):
        service()


def test_the_key_is_found_as_the_client_finds_it(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", "a\n")
    monkeypatch.setenv("GOOGLE_API_KEY", "")
    assert api_key() == "a"
    monkeypatch.setenv("GOOGLE_API_KEY", "b")
    assert api_key() == "b"


def test_vertex_takes_its_credentials_from_the_environment(serve, monkeypatch):
    server = serve()
    monkeypatch.delenv("GEMINI_API_KEY")
    monkeypatch.delenv("GOOGLE_API_KEY")
    monkeypatch.setenv("GOOGLE_VERTEX_BASE_URL", server.url)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "project")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-central1")
    monkeypatch.setattr("google.auth.default", lambda **_: (Credentials("token"), "project"))
    assert np.allclose(service(platform="vertex").embed(video()), hashed([b"clip"]), atol=1e-6)
    assert server.paths[0].endswith("/projects/project/locations/us-central1/publishers/google/models/gemini-embedding-2:embedContent")


@pytest.mark.parametrize(
    ("raised", "kind", "sentence"),
    [
        (RefreshError("expired"), Denied, "the credentials of Google Cloud do not work (expired); renew them and run again."),
        (ValueError("no JSON"), BadReply, "the reply cannot be read: no JSON"),
    ],
)
def test_what_the_client_raises_itself_is_named(serve, monkeypatch, raised, kind, sentence):
    serve()
    asking = service(patience_s=0.1)
    monkeypatch.setattr(asking._client.models, "embed_content", Mock(side_effect=raised))
    with pytest.raises(kind) as error:
        asking.embed(video())
    assert str(error.value) == sentence


def test_no_kept_reply_is_asked_for_again(serve, tmp_path):
    server, clips = serve(), ["a", "b", "c"]
    first = embed_all(requests(tmp_path, clips[:2]), lambda clip: video(clip.encode()), service, 2)
    second = embed_all(requests(tmp_path, clips), lambda clip: video(clip.encode()), service, 2)
    assert server.asked.total() == 3
    assert np.array_equal(first["a"], second["a"])
    embed_all(requests(tmp_path, clips), lambda clip: video(clip.encode()), lambda: pytest.fail("nothing is to be asked"), 2)


def test_one_that_is_denied_stops_the_others(serve, tmp_path):
    server = serve(always("forbidden"), delay_s=0.05)
    with pytest.raises(Denied):
        embed_all(requests(tmp_path, [f"c{n}" for n in range(50)]), lambda clip: video(clip.encode()), service, 2)
    assert server.asked.total() <= 6


def test_no_more_requests_at_once_than_agreed(serve, tmp_path):
    server = serve(delay_s=0.05)
    embed_all(requests(tmp_path, [f"c{n}" for n in range(12)]), lambda clip: video(clip.encode()), service, 3)
    assert server.most_at_once == 3


def test_mixed_faults_lose_no_clip_and_pay_none_twice(serve, tmp_path):
    """Every ninth request fails in one of the ways that may pass; small form of benchmarks/gemini.py."""
    counter = iter(range(10_000))
    server = serve(lambda before, digest: PASSING[n // 9 % len(PASSING)] if (n := next(counter)) % 9 == 4 else None, slow_s=3.0)
    clips = [f"c{n}" for n in range(80)]
    outcomes = embed_all(requests(tmp_path, clips), lambda clip: video(clip.encode()), lambda: service(timeout_s=1.5), 4)
    assert all(np.allclose(outcomes[clip], hashed([clip.encode()]), atol=1e-6) for clip in clips)
    assert set(server.answered.values()) == {1}
    assert server.asked.total() > 80


def test_a_damaged_reply_is_named(tmp_path):
    (tmp_path / "x.json").write_text('{"embedding": [1, 2]}')
    with pytest.raises(
        BadInput, match=r"^the kept reply /.*x\.json is damaged \(the embedding has 2 numbers, not 3072\); delete it, and its clip is asked for again\.$"
    ):
        read_reply(tmp_path / "x.json")


CHANGES = [
    ("source", "b" * 64, CUT, ENCODER),
    ("cut", "a" * 64, CUT | {"seconds": 3.0}, ENCODER),
    ("model", "a" * 64, CUT, ENCODER | {"model": "other"}),
    ("frames", "a" * 64, CUT, ENCODER | {"frames_per_second": 4.0}),
    ("sound", "a" * 64, CUT, ENCODER | {"sound": True}),
    ("instruction", "a" * 64, CUT, ENCODER | {"instruction": "look"}),
]


@pytest.mark.parametrize(("source", "cut", "encoder"), [case[1:] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_what_determines_a_reply_makes_another_one(source, cut, encoder, tmp_path):
    assert reply_path(tmp_path, describe_request(source, cut, encoder)) != reply_path(tmp_path, describe_request("a" * 64, CUT, ENCODER))


def test_neither_order_nor_what_is_cut_locally_nor_the_platform_asks_again(tmp_path):
    turned = dict(reversed((ENCODER | {"dimension": 768, "platform": "vertex", "accept_failed": True}).items()))
    assert reply_path(tmp_path, describe_request("a", dict(reversed(CUT.items())), turned)) == reply_path(tmp_path, describe_request("a", CUT, ENCODER))


def test_replies_of_a_stand_in_never_pass_for_the_services(monkeypatch, tmp_path):
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL", raising=False)
    real = reply_path(tmp_path, describe_request("a", CUT, ENCODER))
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:1")
    assert endpoint("developer") != "google"
    assert reply_path(tmp_path, describe_request("a", CUT, ENCODER)) != real


def test_a_shorter_embedding_is_a_prefix_of_length_one():
    vector = np.zeros(FULL_DIMENSION, np.float32)
    vector[:3] = 0.36, 0.48, 0.8
    assert np.allclose(shortened(vector, 2), [0.6, 0.8])
    assert np.array_equal(shortened(vector, FULL_DIMENSION), vector)


@pytest.mark.parametrize(("seconds", "rate", "frames"), [(2.0, 1.0, 2), (1.4, 1.0, 2), (0.4, 1.0, 1), (5.0, 4.0, 20), (40.0, 1.0, 32)])
def test_frames_that_the_service_looks_at(seconds, rate, frames):
    assert sampled_frames(seconds, rate) == frames


def test_the_estimate_is_that_of_the_reference():
    """3,050 clips of 2 frames about 5 dollars, of 20 frames about 48; sound of 5 s about 2.50."""
    assert estimate(3050, CUT, ENCODER) == (3050, 6100, pytest.approx(4.82, abs=0.01))
    slow = estimate(3050, CUT | {"seconds": 5.0}, ENCODER | {"frames_per_second": 4.0})
    assert slow.dollars == pytest.approx(48.2, abs=0.1)
    assert estimate(3050, CUT | {"seconds": 5.0}, ENCODER | {"frames_per_second": 4.0, "sound": True}).dollars - slow.dollars == pytest.approx(2.44)


def test_clips_with_a_kept_reply_are_not_counted(tmp_path):
    videos = [tmp_path / name for name in ("a.mov", "b.mov")]
    for path in videos:
        path.write_bytes(path.name.encode())
    reply_path(tmp_path, describe_request(sha256(videos[0]), CUT, ENCODER)).touch()
    assert unanswered(videos, CUT, ENCODER, tmp_path) == videos[1:]
