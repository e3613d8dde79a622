"""A document does not make this machine ask anything, unless it is told to, and then the public internet alone."""

from __future__ import annotations

import ipaddress
import pickle
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from llama_index_gemini_mm import MediaReader, MediaStore, ReaderOptions
from llama_index_gemini_mm.readers import _remote
from llama_index_gemini_mm.readers._pictures import linked_bytes
from llama_index_gemini_mm.readers._remote import Fetcher, Remote, is_public
from llama_index_gemini_mm.source import Source
from media_samples import png

PICTURE = png("red", (64, 48))


class Handler(BaseHTTPRequestHandler):
    """Answers by what the path asks for."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        name, _, rest = self.path.partition("?")[0].lstrip("/").partition("/")
        getattr(self, f"_{name}")(rest)

    def _send(self, data: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for key, value in {"Content_Length": str(len(data)), "Set_Cookie": "a=b", **headers}.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def _picture(self, rest: str) -> None:
        self._send(PICTURE)

    def _text(self, rest: str) -> None:
        self._send(b"words " * 100, Content_Type="image/png")

    def _missing(self, rest: str) -> None:
        self._send(PICTURE, 404)

    def _packed(self, rest: str) -> None:
        self._send(PICTURE, Content_Encoding="gzip")

    def _redirect(self, rest: str) -> None:
        self._send(b"", 302, Location=rest)

    def _hops(self, rest: str) -> None:
        self._send(b"", 302, Location=f"/hops/{int(rest) - 1}" if int(rest) else "/picture")

    def _cut(self, rest: str) -> None:
        self._send(PICTURE[:40], Content_Length=str(len(PICTURE)))

    def _huge(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            self.wfile.write(PICTURE)
            for _ in range(1000):
                self.wfile.write(bytes(100_000))
        except OSError:
            self.server.broken_off = True  # type: ignore[attr-defined]

    def _slow(self, rest: str) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for byte in PICTURE:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.1)
        except OSError:
            self.server.broken_off = True  # type: ignore[attr-defined]

    def log_message(self, *args: object) -> None:
        """Tests are silent."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture
def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


LOCAL = Fetcher(is_allowed=lambda address: address.is_loopback, seconds=2.0, max_bytes=1_000_000)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "2002:7f00:1::", "64:ff9b::7f00:1", "2001:db8::1", "fec0::1"),
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_nothing_is_fetched_unless_asked_for(
    tmp_path: Path, store: MediaStore, server: ThreadingHTTPServer, url: str
) -> None:
    markup = f"<p>Words<img src='{url}/picture'><img srcset='{url}/picture 2x'><img src='//127.0.0.1/x'>"
    (tmp_path / "a.html").write_text(markup)
    for fetch_remote in (False, True):
        options = ReaderOptions(fetch_remote=fetch_remote)
        (document,) = MediaReader(store, options).load_data(tmp_path / "a.html")
        assert document.text == "Words"
    assert server.asked == []  # type: ignore[attr-defined]


def test_loopback_is_refused_by_default(server: ThreadingHTTPServer, url: str) -> None:
    for host in ("127.0.0.1", "localhost", "[::1]", "0", "2130706433", "0x7f.1"):
        assert _remote.fetch(f"http://{host}:{server.server_port}/picture") is None
    assert server.asked == []  # type: ignore[attr-defined]


def test_picture_is_fetched_without_cookies_or_credentials(server: ThreadingHTTPServer, url: str) -> None:
    fetched = Remote(LOCAL.fetch)
    assert linked_bytes(Source.of_bytes(b"", "a.html"), f"{url}/picture?x=ä b#part", None, fetched) == PICTURE
    assert fetched(f"{url}/picture?x=ä b") == PICTURE
    ((path, headers),) = server.asked  # type: ignore[attr-defined]
    assert path == "/picture?x=%C3%A4%20b"
    assert not {"Cookie", "Authorization", "Referer"}.intersection(headers)
    assert headers["Host"] == url.removeprefix("http://")


def test_links_without_a_picture_behind_them(server: ThreadingHTTPServer, url: str) -> None:
    for path in ("text", "missing", "packed", "cut"):
        assert LOCAL.fetch(f"{url}/{path}") is None
    others = (
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://",
        "http://[",
        "gopher://x",
        "http://127.0.0.1:99999/x",
    )
    for link in (*others, url.replace("http://", "http://user:secret@") + "/picture"):
        assert LOCAL.fetch(link) is None


def test_each_redirect_is_looked_at_again(server: ThreadingHTTPServer, url: str) -> None:
    assert LOCAL.fetch(f"{url}/hops/2") == PICTURE
    assert LOCAL.fetch(f"{url}/hops/3") is None
    for target in (
        "http://10.0.0.1/x",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "http://[::ffff:10.0.0.1]/",
    ):
        assert LOCAL.fetch(f"{url}/redirect/{target}") is None
    assert LOCAL.fetch(f"{url}/redirect/{url}/picture") == PICTURE


def test_size_and_time_are_bounded(server: ThreadingHTTPServer, url: str) -> None:
    assert LOCAL.fetch(f"{url}/huge") is None
    start = time.monotonic()
    assert LOCAL.fetch(f"{url}/slow") is None
    assert time.monotonic() - start < 5
    deadline = time.monotonic() + 10
    while not hasattr(server, "broken_off") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert hasattr(server, "broken_off")


def test_the_address_that_was_checked_is_the_one_that_is_asked(server: ThreadingHTTPServer, url: str) -> None:
    """The name is resolved once: what is checked cannot be swapped for another address afterwards."""
    checked = []
    fetcher = Fetcher(is_allowed=lambda address: checked.append(address) is None and address.is_loopback)
    assert fetcher.fetch(f"{url}/picture") == PICTURE
    assert checked == [ipaddress.ip_address("127.0.0.1")]


def test_pictures_of_one_document_are_counted(server: ThreadingHTTPServer, url: str) -> None:
    fetched = Remote(LOCAL.fetch)
    found = [fetched(f"{url}/picture?{n}") for n in range(_remote.MAX_PICTURES + 5)]
    assert found.count(None) == 5


def test_fetching_is_one_call_that_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(_remote.fetch)) is _remote.fetch
