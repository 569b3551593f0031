"""An endpoint of the OpenAI shape: whatever it answers, vectors or one line, and the key stays hidden."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from undertow.adapters import endpoint
from undertow.adapters.endpoint import Endpoint
from undertow.core.encode import encode
from undertow.core.errors import DataError

KEY = "sk-very-secret"


def rows(texts):
    """Return an answer as it should be."""
    return [{"index": n, "embedding": [len(text), 1.0]} for n, text in enumerate(texts)]


def good(texts):
    """Answer as the shape asks."""
    return 200, {"data": rows(texts)}


class Server:
    """A server in a thread that answers by a function of the texts, and remembers each request."""

    def __init__(self):
        self.answer = good
        self.seen: list[dict] = []
        self.stop = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.seen.append({"body": body, "headers": dict(self.headers)})
                code, content, *headers = outer.answer(body["input"])
                sent = content if isinstance(content, bytes) else json.dumps(content).encode()
                try:
                    self.send_response(code)
                    for name, value in headers:
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(sent)))
                    self.end_headers()
                    self.wfile.write(sent)
                except OSError:
                    pass  # the client has given up, as it should

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.http.server_port}/v1/embeddings"

    def close(self):
        self.stop.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch):
    """A server of our own, reached without a proxy and without anybody's key."""
    for name in ("UNDERTOW_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")
    made = Server()
    yield made
    made.close()


def at(server, **options):
    """Return an encoder at the server that does not wait between tries."""
    return Endpoint(server.address, **{"model": "m", "wait": 0.0, "timeout": 20.0} | options)


def failing(*codes):
    """Answer with these codes first, then well."""
    left = list(codes)

    def answer(texts):
        return (left.pop(0), {"error": "busy"}) if left else good(texts)

    return answer


def test_texts_go_out_in_batches_and_vectors_come_back_in_order(server):
    """The body is the OpenAI shape, and answers out of order are put in order."""
    server.answer = lambda texts: (200, {"data": rows(texts)[::-1]})
    made = at(server, batch=2, dimensions=2)
    assert made(["a", "bb", "ccc"]).tolist() == [[1, 1], [2, 1], [3, 1]]
    assert [each["body"] for each in server.seen] == [
        {"model": "m", "input": ["a", "bb"], "dimensions": 2},
        {"model": "m", "input": ["ccc"], "dimensions": 2},
    ]
    assert made.identity() == {"model": "m", "dimensions": 2}


def test_rows_without_an_index_keep_their_order(server):
    """Some servers leave the number out."""
    server.answer = lambda texts: (200, {"data": [{"embedding": [len(t)]} for t in texts]})
    assert at(server)(["a", "bb"]).tolist() == [[1], [2]]


@pytest.mark.parametrize("codes", [(429,), (500, 503), (502, 504, 408)])
def test_a_passing_failure_is_tried_again(server, codes):
    """Too many requests and server errors are waited out."""
    server.answer = failing(*codes)
    assert at(server)(["a"]).tolist() == [[1, 1]]
    assert len(server.seen) == len(codes) + 1


def test_waits_double_and_the_servers_wish_counts_up_to_a_limit(server, monkeypatch):
    """Half a second, one, two; what Retry-After asks for, at most 30 s."""
    waited: list[float] = []
    monkeypatch.setattr(endpoint.time, "sleep", waited.append)
    server.answer = lambda _: (429, {}, ("Retry-After", "soon"))
    with pytest.raises(DataError, match="it answered 429, 4 times"):
        at(server, wait=0.5)(["a"])
    server.answer = lambda _: (429, {}, ("Retry-After", "7"))
    with pytest.raises(DataError, match="it answered 429, 2 times"):
        at(server, tries=2)(["a"])
    server.answer = lambda _: (503, {}, ("Retry-After", "86400"))
    with pytest.raises(DataError, match="it answered 503"):
        at(server, tries=2)(["a"])
    assert waited == [0.5, 1.0, 2.0, 7.0, 30.0]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda t: (200, {"data": rows(t)[1:]}), "returned 1 vectors for 2 texts"),
        (lambda t: (200, {"data": rows(t) * 2}), "returned 4 vectors for 2 texts"),
        (lambda t: (200, {"data": [rows(t)[0]] * 2}), "or numbered them wrongly"),
        (lambda _: (200, b"<html>no</html>"), "not of the OpenAI embeddings shape"),
        (lambda _: (200, b'{"data": ['), "not of the OpenAI embeddings shape"),
        (lambda _: (200, b"[" * 100_000), "not of the OpenAI embeddings shape"),
        (lambda _: (200, b"\xff\xfe\x00"), "not of the OpenAI embeddings shape"),
        (lambda _: (200, [1, 2]), "not of the OpenAI embeddings shape"),
        (lambda _: (200, {"data": [1, 2]}), "not of the OpenAI embeddings shape"),
        (lambda t: (200, {"data": [{"index": "a", "embedding": []} for _ in t]}), "numbered"),
        (lambda t: (200, {"data": [r | {"embedding": "AAAA"} for r in rows(t)]}), "for floats"),
        (lambda t: (200, {"data": [r | {"embedding": ["x"]} for r in rows(t)]}), "list of numbers"),
        (lambda t: (200, {"data": [r | {"embedding": [{}]} for r in rows(t)]}), "list of numbers"),
        (
            lambda t: (200, {"data": [r | {"embedding": [None]} for r in rows(t)]}),
            "list of numbers",
        ),
        (lambda t: (200, {"data": [r | {"embedding": [float("nan")]} for r in rows(t)]}), "nan"),
        (lambda t: (200, {"data": [r | {"embedding": [10**400]} for r in rows(t)]}), "failed|inf"),
        (
            lambda t: (200, {"data": [r | {"embedding": [1] * (r["index"] + 1)} for r in rows(t)]}),
            "vectors of 1, 2 numbers",
        ),
        (lambda _: (404, {"error": "no model m"}), r"answered 404 \(.*no model m.*see the model"),
        (lambda _: (400, b""), "it answered 400"),
        (lambda _: (401, {"error": "who?"}), "wants a key and none was sent"),
        (lambda _: (302, {}, ("Location", "http://other.example/")), "sends on to other.example"),
        (lambda _: (307, {}, ("Location", "http://other.example/")), "sends on to other.example"),
        (lambda _: (308, {}), "sends on .308."),
    ],
)
def test_what_is_no_answer_of_that_shape_is_one_line(server, answer, told):
    """A wrong count, numbering, body, value or code is told once, with the address and no traceback."""
    server.answer = answer
    with pytest.raises(DataError, match=told) as caught:
        encode(at(server), ["one", "three"])
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(server.address)
    assert len(server.seen) == 1


def test_an_answer_without_end_is_not_read(server, monkeypatch):
    """More bytes than any batch of vectors takes are refused."""
    monkeypatch.setattr(endpoint, "LARGEST", 2**20)
    server.answer = lambda _: (200, b" " * (2**20 + 2))
    with pytest.raises(DataError, match="longer than 1 MB; use a smaller batch"):
        at(server)(["a"])


def test_a_server_that_hangs_is_given_up(server):
    """Each try has its limit of time."""

    def hang(texts):
        server.stop.wait(20)
        return good(texts)

    server.answer = hang
    with pytest.raises(DataError, match=r"no answer within 0\.05 s, 2 times"):
        at(server, timeout=0.05, tries=2)(["a"])


@pytest.mark.usefixtures("server")
def test_a_server_that_is_not_there_is_told():
    """A closed port is named with the reason."""
    with pytest.raises(DataError, match=r"cannot be reached .*, 2 times; try again later"):
        Endpoint("http://127.0.0.1:1/v1#m", wait=0.0, tries=2)(["a"])


def test_the_key_is_sent_and_shown_nowhere(server, monkeypatch):
    """It is in one header; not in the name, the identity, the repr or an error that quotes it."""
    monkeypatch.setenv("UNDERTOW_API_KEY", KEY)
    made = at(server)
    made(["a"])
    assert server.seen[0]["headers"]["Authorization"] == f"Bearer {KEY}"
    server.answer = lambda _: (400, {"error": f"Incorrect key {KEY}"})
    with pytest.raises(DataError) as caught:
        made(["a"])
    server.answer = lambda _: (403, {"error": f"Incorrect key {KEY}"})
    with pytest.raises(DataError, match="the key was refused") as refused:
        made(["a"])
    shown = [made.name, repr(made), str(made.identity()), str(caught.value), str(refused.value)]
    assert not any(KEY in each for each in shown)


def test_openais_key_goes_to_openai_alone(monkeypatch):
    """A key is never sent over plain http to another machine, and OpenAI's only to openai.com."""
    monkeypatch.delenv("UNDERTOW_API_KEY", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    sent = {
        "https://api.openai.com/v1/embeddings#m": KEY,
        "http://api.openai.com/v1/embeddings#m": "",
        "https://api.example.com/v1#m": "",
        "https://notopenai.com/v1#m": "",
        "https://openai.com.example.net/v1#m": "",
        "http://localhost:8000/v1#m": "",
    }
    assert {address: Endpoint(address)._key() for address in sent} == sent
    monkeypatch.setenv("UNDERTOW_API_KEY", "own")
    assert Endpoint("https://api.example.com/v1#m")._key() == "own"
    assert Endpoint("http://localhost:8000/v1#m")._key() == "own"
    assert Endpoint("http://api.example.com/v1#m")._key() == ""


def test_a_name_holds_nothing_that_may_be_secret():
    """What follows ? stays out of the name, and out of every profile."""
    made = Endpoint("https://[::1]:8/v1/embeddings?key=abc#m%20one")
    assert made.name == "https://[::1]:8/v1/embeddings#m one"
    assert "abc" not in made.name


def test_vectors_are_checked_like_anybodys(server):
    """The guarded call sees the endpoint's vectors as it sees any."""
    found = encode(at(server), ["a", None, "", "bb"])
    assert np.isnan(found[1]).all()
    assert found[[0, 2, 3]].tolist() == [[1, 1], [0, 0], [2, 1]]
