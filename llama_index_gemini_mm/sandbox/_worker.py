"""What a worker process does: wait for a task, send what it yields, wait for the next."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from llama_index_gemini_mm.sandbox import _confine
from llama_index_gemini_mm.sandbox._channel import LINK, Channel, data_only

Task = tuple[Callable[..., Iterable[Any]], tuple[Any, ...], int, float, int]
"""The function, its arguments, bytes of memory, seconds of computing between two items, and the level of the log."""
PACKAGE = "llama_index_gemini_mm"


def main() -> None:
    """Work until the parent closes its end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair
    channel = _channel()
    LINK.channel = channel
    _confine.deny_network()
    _send_log(channel)
    channel.send(("ready", None))
    while True:
        try:
            task: Task = channel.receive()
        except EOFError:
            return
        except Exception as error:  # noqa: BLE001 - a task that cannot be unpickled; the parent is told why
            channel.send(("failed", portable(error)))
            continue
        if not _run(channel, *task):
            return


def _channel() -> Channel:
    """The pipes of the standard streams, which libraries are kept from printing on."""
    reading, writing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return Channel(reading, writing, trusted=True)


def _run(
    channel: Channel, function: Callable[..., Iterable[Any]], args: Any, memory: int, cpu: float, log: int
) -> bool:
    """Whether this process can be given another task."""
    logging.getLogger(PACKAGE).setLevel(log)
    _confine.bound_memory(memory)
    _confine.renew_time(cpu)
    try:
        for item in function(*args):
            channel.send(("item", item))
            _confine.renew_time(cpu)
        channel.send(("done", None))
    except MemoryError:
        # What is left of this process is not to be trusted.
        with contextlib.suppress(MemoryError):
            channel.send(("out of memory", None))
        return False
    except BrokenPipeError:
        return False
    except Exception as error:  # noqa: BLE001 - raised in the parent
        channel.send(("failed", portable(error)))
    except BaseException as error:  # noqa: BLE001 - a library in Rust that gave up; what it left behind is unknown
        channel.send(("broken", portable(RuntimeError(f"{type(error).__name__}: {error}"))))
        return False
    return True


def portable(error: Exception) -> Exception:
    """``error`` if the parent would take it, else its likeness; with a note of where it was raised."""
    sent = error
    try:
        data_only(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - what an exception of another library does when pickled is anyone's guess
        sent = RuntimeError(f"{type(error).__name__}: {error}")
    sent.add_note("In a worker:\n" + "".join(traceback.format_tb(error.__traceback__)))
    return sent


class _Forwarder(logging.Handler):
    """Sends what the package logs here to the parent's log."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send the finished text: arguments may be anything."""
        self._channel.send(("log", (record.name, record.levelno, self.format(record))))


def _send_log(channel: Channel) -> None:
    log = logging.getLogger(PACKAGE)
    log.addHandler(_Forwarder(channel))
    log.propagate = False


if __name__ == "__main__":
    main()
