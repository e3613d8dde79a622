"""The server's life: ports, threads, stop, the command."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from emulator_client import content, developer_client, embed
from llama_index_gemini_mm.emulator import Fault, Faults, GeminiEmulator
from llama_index_gemini_mm.errors import ConfigurationError


def test_start_and_stop_are_idempotent() -> None:
    """Starting twice keeps the address, stopping twice does no harm, and it can be started anew."""
    before = set(threading.enumerate())
    emulator = GeminiEmulator(api_key="k")
    emulator.stop()
    with pytest.raises(ConfigurationError, match="does not run"):
        _ = emulator.base_url

    address = emulator.start().base_url
    assert emulator.start().base_url == address
    emulator.stop()
    emulator.stop()
    with emulator:
        assert embed(developer_client(emulator), content("x")).shape == (1, 3072)
    assert set(threading.enumerate()) <= before


def test_busy_port() -> None:
    """A port in use is named in one clear line."""
    with GeminiEmulator() as emulator:
        port = int(emulator.base_url.rpartition(":")[2])

        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}"):
            GeminiEmulator(port=port).start()


def test_port_is_free_after_stop() -> None:
    """A given port is used, and can be used again."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    for _ in range(2):
        with GeminiEmulator(port=port) as emulator:
            assert emulator.base_url == f"http://127.0.0.1:{port}"
            assert httpx.get(f"{emulator.base_url}/v1/models", headers={"x-goog-api-key": "k"}).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])
def test_other_machines_stay_out(host: str) -> None:
    """Only loopback addresses are taken without being told."""
    with pytest.raises(ConfigurationError, match="loopback"):
        GeminiEmulator(host=host)


def test_hosts() -> None:
    """localhost, IPv6 and, when allowed, all addresses work."""
    with GeminiEmulator(host="localhost") as emulator:
        assert embed(developer_client(emulator), content("x")).shape == (1, 3072)
    with GeminiEmulator(host="0.0.0.0", allow_remote=True) as emulator:
        assert emulator.base_url.startswith("http://0.0.0.0:")


def test_impossible_settings() -> None:
    """Negative numbers are refused."""
    with pytest.raises(ConfigurationError, match="negative"):
        GeminiEmulator(modality_gap=-1)


def test_keep_and_clear() -> None:
    """The log keeps the newest requests, and forgets on demand; a snapshot stays as it was."""
    with GeminiEmulator(keep=2) as emulator:
        client = developer_client(emulator)
        for text in "abc":
            embed(client, content(text))
        snapshot = emulator.requests
        emulator.clear()

        assert [request.contents[0].text for request in snapshot] == ["b", "c"]
        assert emulator.requests == []


def test_two_side_by_side() -> None:
    """Two emulators do not know of each other, and may share a script of faults."""
    faults = Faults()
    with GeminiEmulator(api_key="one", faults=faults) as one, GeminiEmulator(api_key="two", faults=faults) as two:
        embed(developer_client(one), content("x"))
        two.faults.add(Fault(status=503))

        assert httpx.get(f"{one.base_url}/v1/models").status_code == 503
        assert (len(one.requests), len(two.requests)) == (2, 0)
        assert (one.api_key, two.api_key, GeminiEmulator().api_key) == ("one", "two", "offline")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_on_signals(number: signal.Signals) -> None:
    """serve() answers until it is told to stop, and then ends without a traceback."""
    program = (
        "from llama_index_gemini_mm.emulator import GeminiEmulator, serve\n"
        "class Loud(GeminiEmulator):\n"
        "    def start(self):\n"
        "        print(super().start().base_url, flush=True)\n"
        "        return self\n"
        "serve(Loud())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    address = process.stdout.readline().strip()
    status = httpx.get(f"{address}/v1/models", headers={"x-goog-api-key": "k"}).status_code
    process.send_signal(number)
    _, errors = process.communicate(timeout=20)

    assert status == 200
    assert (process.returncode, errors) == (0, "")


def test_serve_gives_the_signals_back() -> None:
    """After serve() the former handlers are in place again, also when the port is taken."""
    former = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    from llama_index_gemini_mm.emulator import serve

    with GeminiEmulator() as running, pytest.raises(ConfigurationError):
        serve(GeminiEmulator(port=int(running.base_url.rpartition(":")[2])))

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == former
