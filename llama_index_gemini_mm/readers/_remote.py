"""Pictures that a document links to by http(s), fetched only from public addresses and within bounds.

A document comes from a stranger, and must not make this machine ask its own network for anything. The name is resolved
once, every address it has must be public, and the connection goes to that very address; each redirect is looked at
again. Nothing is sent along but the name of the host: no cookies, no credentials, no referrer, and no proxy.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from llama_index_gemini_mm.readers.image import is_picture

MAX_BYTES = 64 * 2**20
MAX_SECONDS = 20.0
"""For one picture, from the name to the last byte."""
MAX_REDIRECTS = 3
MAX_PICTURES = 100
"""Fetched for one document."""
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_CHUNK = 1 << 16
_HEAD_BYTES = 64
_PORTS = {"http": 80, "https": 443}
_NAT64 = tuple(map(ipaddress.IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48")))
_HEADERS = {
    "User-Agent": "llama-index-gemini-mm",
    "Accept": "image/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class _Refused(Exception):
    """A link that is not followed, or leads to no picture; never leaves this module."""


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet.

    Private, loopback, link-local, multicast and reserved ones do not, nor do IPv6 addresses that hold one of IPv4.
    """
    if isinstance(address, ipaddress.IPv6Address):
        holds_ipv4 = address.ipv4_mapped or address.sixtofour or address.teredo
        if holds_ipv4 or address.is_site_local or any(address in network for network in _NAT64):
            return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


@dataclass(frozen=True)
class Fetcher:
    """Fetches one picture at a time.

    Args:
        is_allowed: which addresses may be asked.
        seconds: how long one picture may take in all.
        max_bytes: how large it may be.
    """

    is_allowed: Callable[[Address], bool] = is_public
    seconds: float = MAX_SECONDS
    max_bytes: int = MAX_BYTES

    def fetch(self, url: str) -> bytes | None:
        """The bytes of the picture at ``url``; ``None`` when there is none, or it may not be fetched."""
        loading = _Loading(self, time.monotonic() + self.seconds)
        # The look-up of a name takes no time limit, so the wait has its own.
        thread = threading.Thread(target=loading.run, args=(url,), daemon=True)
        thread.start()
        thread.join(self.seconds)
        if thread.is_alive():
            loading.stop()
        return loading.data


class _Loading:
    """The fetching of one picture in a thread of its own."""

    def __init__(self, bounds: Fetcher, deadline: float) -> None:
        self._bounds = bounds
        self._deadline = deadline
        self._stopped = False
        self._socket: socket.socket | None = None
        self.data: bytes | None = None

    def run(self, url: str) -> None:
        try:
            data = self._followed(url)
        except (_Refused, OSError, http.client.HTTPException, ValueError):
            return
        if not self._stopped:
            self.data = data

    def stop(self) -> None:
        """End a reply that never does."""
        self._stopped = True
        if self._socket is not None:
            try:
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            except OSError:
                return

    def _followed(self, url: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            parts = _checked(urljoin("https:", url) if url.startswith("//") else url)
            connection = self._connected(parts)
            try:
                target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                connection.request("GET", _quoted(target), headers=_HEADERS)
                reply = connection.getresponse()
                location = reply.headers.get("Location")
                if reply.status not in _REDIRECTS or not location:
                    return self._body(reply)
                url = urljoin(parts.geturl(), location)
            finally:
                connection.close()
        raise _Refused

    def _connected(self, parts: SplitResult) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        address = self._resolved(host, port)
        connection = http.client.HTTPConnection(host, port)
        plain = socket.create_connection((str(address), port), timeout=self._left())
        if parts.scheme == "https":
            plain = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
            connection.default_port = _PORTS["https"]
        self._socket = connection.sock = plain
        return connection

    def _resolved(self, host: str, port: int) -> Address:
        """The address to be asked. A name that has any other than allowed ones is refused as a whole."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found]
        if not addresses or not all(map(self._bounds.is_allowed, addresses)):
            raise _Refused
        return addresses[0]

    def _body(self, reply: http.client.HTTPResponse) -> bytes:
        encoded = reply.headers.get("Content-Encoding", "identity").lower() != "identity"
        if reply.status != http.HTTPStatus.OK or encoded or (reply.length or 0) > self._bounds.max_bytes:
            raise _Refused
        data = bytearray()
        while self._socket is not None and reply.length != 0 and not reply.isclosed():
            self._socket.settimeout(self._left())
            data += (chunk := reply.read1(_CHUNK))
            if not chunk:
                break
            is_other = len(data) >= _HEAD_BYTES and not is_picture(bytes(data[:_HEAD_BYTES]))
            if is_other or len(data) > self._bounds.max_bytes:
                raise _Refused
        if reply.length or not is_picture(bytes(data[:_HEAD_BYTES])):
            raise _Refused
        return bytes(data)

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0 or self._stopped:
            raise _Refused
        return left


def _checked(url: str) -> SplitResult:
    parts = urlsplit(url.strip())
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None or parts.password is not None:
        raise _Refused
    return parts


def _quoted(target: str) -> str:
    """A path and query fit for a request line: pages hold blanks and letters beyond ASCII in their links."""
    return quote(target, safe="/?&=%:@!$'()*+,;~-._[]")


def fetch(url: str) -> bytes | None:
    """The bytes of the picture at ``url``, from public addresses only; ``None`` for anything else."""
    return Fetcher().fetch(url)


@dataclass
class Remote:
    """The pictures of one document: each link is fetched once, and not more than ``MAX_PICTURES`` in all."""

    fetch: Callable[[str], bytes | None] = fetch
    _seen: dict[str, bytes | None] = field(default_factory=dict)

    def __call__(self, link: str) -> bytes | None:
        """The picture at ``link``, or ``None``."""
        url = link.partition("#")[0]
        if url not in self._seen:
            self._seen[url] = self.fetch(url) if len(self._seen) < MAX_PICTURES else None
        return self._seen[url]
