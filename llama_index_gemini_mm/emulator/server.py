"""The server's life: its port, its thread with its own event loop, and its end."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from aiohttp import web

from llama_index_gemini_mm.emulator.batches import BatchService
from llama_index_gemini_mm.emulator.faults import Faults
from llama_index_gemini_mm.emulator.files import Clock, FileStore, utc_now
from llama_index_gemini_mm.emulator.gateway import Gateway
from llama_index_gemini_mm.emulator.log import RecordedRequest, RequestLog
from llama_index_gemini_mm.emulator.model import StandInModel
from llama_index_gemini_mm.emulator.quotas import Quota, Quotas, QuotaUse
from llama_index_gemini_mm.emulator.routes import batch_routes, developer_routes, vertex_routes
from llama_index_gemini_mm.emulator.service import Service
from llama_index_gemini_mm.errors import ConfigurationError

_GOODBYE_SECONDS = 0.2


class GeminiEmulator:
    """A local server that speaks Gemini's wire protocol, with a deterministic stand-in model. It is not Gemini.

    It checks what the service checks and embeds what is really in the input, so that programs can be tried, tested and
    developed without a key and without a network::

        with GeminiEmulator() as emulator:
            client = genai.Client(api_key=emulator.api_key, http_options={"base_url": emulator.base_url})

    Args:
        api_key: the key (on Vertex paths: the token) that is accepted; any non-empty one when None.
        modality_gap: how far modalities are set apart, against content of length 1; 0 for not at all. At the default
            unrelated texts have a cosine of about 0.08, which unrelated text and picture do not have, and a text still
            finds the picture whose stored caption it repeats.
        host: a loopback address; any other needs ``allow_remote``.
        port: 0 takes a free one.
        latency: seconds that pass before every answer.
        faults: the script of failures; rules can be added at any time.
        quota: quotas that are enforced; none by default.
        file_processing_seconds: how long uploaded files stay in ``PROCESSING``.
        batch_seconds: how long a job of the Batch API takes.
        vertex_batch: whether Vertex paths have ``batchEmbedContents``, which is not confirmed for the service.
        keep: how many requests the log keeps, with their media; all when None.
        remembered_bytes: memory for the vectors of contents that may come again, which then cost next to nothing.
        clock: the time by which files expire and quotas renew, as an aware datetime.
        allow_remote: let other machines in. The emulator is made for tests, not for hostile guests.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        modality_gap: float = 0.3,
        host: str = "127.0.0.1",
        port: int = 0,
        latency: float = 0.0,
        faults: Faults | None = None,
        quota: Quota | None = None,
        file_processing_seconds: float = 0.0,
        batch_seconds: float = 0.2,
        vertex_batch: bool = False,
        keep: int | None = None,
        remembered_bytes: int = 64 * 2**20,
        clock: Clock = utc_now,
        allow_remote: bool = False,
    ) -> None:
        if not allow_remote and not _is_loopback(host):
            remedy = "use 127.0.0.1, or let others in: allow_remote=True, or --allow-remote"
            raise ConfigurationError(f"host {host} is not a loopback address; {remedy}")
        if modality_gap < 0 or latency < 0:
            raise ConfigurationError("modality_gap and latency must not be negative")
        self.faults = faults if faults is not None else Faults()
        self._api_key = api_key
        self._host = host
        self._port = port
        self._log = RequestLog(keep)
        quota = quota or Quota()
        files = FileStore(file_processing_seconds, clock)
        model = StandInModel(modality_gap, files.resolve, remembered_bytes)
        self._quotas = Quotas(quota, clock)
        service = Service(model, files, self._quotas, clock)
        batches = BatchService(model, files, quota, batch_seconds, clock)
        self._routes = (
            *developer_routes(service),
            *batch_routes(batches),
            *vertex_routes(service, batch=vertex_batch),
        )
        self._latency = latency
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Event | None = None

    @property
    def api_key(self) -> str:
        """A key that this server accepts."""
        return self._api_key or "offline"

    @property
    def base_url(self) -> str:
        """Where it listens, such as ``http://127.0.0.1:54321``.

        Raises:
            ConfigurationError: when it does not run.
        """
        if self._socket is None:
            raise ConfigurationError("the emulator does not run; call start() or use it in a with statement")
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """What it was sent so far, oldest first."""
        return self._log.snapshot()

    @property
    def quota_use(self) -> QuotaUse:
        """What was asked of the quotas so far."""
        return self._quotas.use

    def clear(self) -> None:
        """Forget the recorded requests."""
        self._log.clear()

    def start(self) -> Self:
        """Listen, in a thread of its own; does nothing when it runs already.

        Raises:
            ConfigurationError: when the port is taken or the host unknown.
        """
        if self._thread is not None:
            return self
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            self._socket = socket.create_server((self._host, self._port), family=family, backlog=512)
        except OSError as error:
            reason = error.strerror or error
            raise ConfigurationError(f"cannot listen on {self._host}:{self._port}: {reason}; try port 0") from error
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._socket, ready), name="gemini-emulator", daemon=True
        )
        self._thread.start()
        ready.wait()
        return self

    def stop(self) -> None:
        """End, cutting off what is still under way; does nothing when it does not run."""
        if self._thread is None or self._loop is None or self._ending is None:
            return
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
        self._thread = self._loop = self._ending = self._socket = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, listener: socket.socket, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(listener, ready))
        finally:
            ready.set()  # whoever waits for a server that could not start must not wait for ever

    async def _serve(self, listener: socket.socket, ready: threading.Event) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1), "gemini-emulator") as workers:
            gateway = Gateway(self._api_key, self._latency, self._log, self.faults, workers)
            runner = web.AppRunner(
                gateway.application(self._routes), access_log=None, shutdown_timeout=_GOODBYE_SECONDS
            )
            await runner.setup()
            await web.SockSite(runner, listener).start()
            ready.set()
            await self._ending.wait()
            await runner.cleanup()


def serve(emulator: GeminiEmulator) -> None:
    """Run until Ctrl-C or SIGTERM, then stop cleanly. Call it from the main thread.

    Raises:
        ConfigurationError: when the emulator cannot listen.
    """
    ended = threading.Event()
    former = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with emulator:
            ended.wait()
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
