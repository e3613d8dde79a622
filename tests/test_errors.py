"""The exception tree: fields, pickling, exit codes, one-line texts."""

from __future__ import annotations

import inspect
import pickle

import pytest

from llama_index_gemini_mm import errors

SAMPLES = [
    errors.ConfigurationError("task='x' is unknown"),
    errors.UnsupportedFormat("a.bin", "binary data"),
    errors.CorruptFile("a.pdf", "cut off"),
    errors.EncryptedFile("a.pdf", "needs a password"),
    errors.FileTooLarge("a.png", "too many pixels"),
    errors.NothingToRead("silence.wav", "it is silent from beginning to end"),
    errors.MissingDependency("a.heic", "pillow-heif", "heif"),
    errors.SourceError("a", "no such file"),
    errors.MediaMissing("media://00", "a.mp3", "the file is gone"),
    errors.LimitExceeded("audio", 180, 200.5, "seconds", "cut it"),
    errors.BudgetExceeded(1.0, 0.999, 0.002),
    errors.ApiError(503, "UNAVAILABLE", "overloaded", retryable=True),
    errors.AuthError(401, "UNAUTHENTICATED", "no key"),
    errors.QuotaExhausted(429, "RESOURCE_EXHAUSTED", "used up", resets_at="2026-01-01T00:00:00-08:00"),
    errors.InvalidRequest(400, "INVALID_ARGUMENT", "empty"),
    errors.BadReply(200, "BAD_REPLY", "1 vector for 2"),
    errors.IndexMismatch("a", "b", "use c"),
    errors.IndexLocked("storage"),
    errors.SyncUnderWay("storage", 7, "desk", "2026-01-01T00:00:00"),
    errors.IndexUnavailable("http://127.0.0.1:6333", "connection refused"),
]


@pytest.mark.parametrize("error", SAMPLES, ids=lambda e: type(e).__name__)
def test_errors_survive_pickling(error: errors.GeminiMMError) -> None:
    """Class, text and every field come back from a worker process."""
    twin = pickle.loads(pickle.dumps(error))

    assert type(twin) is type(error)
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)
    assert "\n" not in str(error)


def test_every_class_is_sampled_and_drawn() -> None:
    """The tree at the top of the module shows each class, and this test has one of each."""
    classes = {c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, errors.GeminiMMError)} - {
        errors.GeminiMMError
    }

    assert {type(e) for e in SAMPLES} == classes
    assert all(c.__name__ in (errors.__doc__ or "") for c in classes)


def test_exit_codes_tell_the_errors_apart() -> None:
    """No two classes end the command line with the same code, and none with 0."""
    codes = [type(e).exit_code for e in SAMPLES]

    assert len(set(codes)) == len(codes)
    assert all(0 < code < 126 for code in codes)
