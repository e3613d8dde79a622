"""The Files API through the real SDK: upload, states, use in a Content, expiry."""

from __future__ import annotations

import base64
import hashlib
import io
from datetime import UTC, datetime, timedelta

import httpx
import numpy as np
import pytest
from google import genai
from google.genai import errors, types

from emulator_client import content, developer_client, embed, error_of
from emulator_samples import encoded, picture, plain_png
from llama_index_gemini_mm.emulator import Fault, GeminiEmulator


class SettableClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now


def upload(client: genai.Client, data: bytes, **config: object) -> types.File:
    """Upload bytes as a picture."""
    return client.files.upload(file=io.BytesIO(data), config={"mime_type": "image/png", **config})


def by_file(file: types.File, **changes: str) -> types.Content:
    """A Content that refers to an uploaded file."""
    link = {"file_uri": file.uri, "mime_type": file.mime_type, **changes}
    return types.Content(parts=[types.Part(file_data=types.FileData(**link))])


def test_upload_and_embed(client: genai.Client, emulator: GeminiEmulator) -> None:
    """An uploaded file is described as it is, and embeds as the same bytes inline do."""
    png = plain_png("red", caption="a red square")

    file = upload(client, png, display_name="red.png")

    assert (file.state.value, file.display_name, file.size_bytes) == ("ACTIVE", "red.png", len(png))
    assert base64.b64decode(file.sha256_hash).decode() == hashlib.sha256(png).hexdigest()
    assert file.uri == f"{emulator.base_url}/v1beta/{file.name}"
    assert file.expiration_time - file.create_time == timedelta(hours=48)
    inline = embed(client, content((png, "image/png")))
    assert np.array_equal(embed(client, by_file(file)), inline)
    assert np.array_equal(embed(client, by_file(file, file_uri=file.name)), inline)
    assert emulator.requests[-1].contents[0].parts[0].file_uri == file.name


def test_upload_in_chunks(client: genai.Client, emulator: GeminiEmulator) -> None:
    """A file of more than 8 MiB arrives in two chunks and whole; the bytes travel without a key."""
    big = encoded(picture(1)) + b"\x00" * (9 * 2**20)

    file = upload(client, big)

    assert file.size_bytes == len(big)
    routes = [request.route for request in emulator.requests]
    assert routes == ["files.start", "files.chunk", "files.chunk"]
    assert base64.b64decode(file.sha256_hash).decode() == hashlib.sha256(big).hexdigest()


async def test_async_upload(client: genai.Client) -> None:
    """The asynchronous upload works the same way."""
    file = await client.aio.files.upload(file=io.BytesIO(plain_png()), config={"mime_type": "image/png"})

    assert (await client.aio.files.get(name=file.name)).state.value == "ACTIVE"
    await client.aio.aclose()


def test_get_list_delete() -> None:
    """Files are listed newest first over pages, and are gone after their deletion."""
    with GeminiEmulator() as emulator:
        client = developer_client(emulator)
        files = [upload(client, plain_png(), display_name=str(number)) for number in range(5)]

        listed = [file.display_name for file in client.files.list(config={"page_size": 2})]
        client.files.delete(name=files[0].name)
        with pytest.raises(errors.ClientError) as caught:
            client.files.get(name=files[0].name)

        assert listed == ["4", "3", "2", "1", "0"]
        assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
        assert [request.route for request in emulator.requests].count("files.list") == 3
        assert client.files.get(name=files[1].name).name == files[1].name
        wrong = httpx.get(f"{emulator.base_url}/v1beta/files?pageSize=0", headers={"x-goog-api-key": "k"})
        assert error_of(wrong) == (400, "INVALID_ARGUMENT")


def test_processing_then_active_then_gone() -> None:
    """A file cannot be used while it is processed, nor after 48 hours."""
    clock = SettableClock()
    with GeminiEmulator(clock=clock, file_processing_seconds=5) as emulator:
        client = developer_client(emulator)
        file = upload(client, plain_png())
        states = [file.state.value]

        with pytest.raises(errors.ClientError) as early:
            embed(client, by_file(file))
        clock.now += timedelta(seconds=5)
        states.append(client.files.get(name=file.name).state.value)
        vectors = embed(client, by_file(file))
        clock.now += timedelta(hours=48)
        with pytest.raises(errors.ClientError) as late:
            embed(client, by_file(file))

    assert states == ["PROCESSING", "ACTIVE"]
    assert (early.value.code, early.value.status) == (400, "FAILED_PRECONDITION")
    assert vectors.shape == (1, 3072)
    assert (late.value.code, late.value.status) == (403, "PERMISSION_DENIED")


def test_named_files(client: genai.Client) -> None:
    """A file may be given its name, once."""
    file = upload(client, plain_png(), name="my-picture")

    with pytest.raises(errors.ClientError) as caught:
        upload(client, plain_png(), name="my-picture")

    assert file.name == "files/my-picture"
    assert (caught.value.code, caught.value.status) == (409, "ALREADY_EXISTS")
    client.files.delete(name=file.name)


def test_unknown_file(client: genai.Client) -> None:
    """A reference to a file that never was is refused."""
    with pytest.raises(errors.ClientError) as caught:
        embed(client, types.Content(parts=[types.Part(file_data=types.FileData(file_uri="files/never"))]))

    assert caught.value.code == 403


def test_mime_type_comes_from_the_file(client: genai.Client) -> None:
    """A reference without a MIME type takes the uploaded one."""
    file = upload(client, plain_png())

    assert embed(client, by_file(file, mime_type="")).shape == (1, 3072)


def test_key_is_needed_to_start(emulator: GeminiEmulator) -> None:
    """An upload starts with a key only."""
    answer = httpx.post(f"{emulator.base_url}/upload/v1beta/files", json={})

    assert error_of(answer) == (400, "INVALID_ARGUMENT")


def test_protocol_errors(emulator: GeminiEmulator) -> None:
    """Unknown uploads, wrong offsets, missing bytes and a file beyond 2 GiB are refused."""
    start = f"{emulator.base_url}/upload/v1beta/files"
    headers = {"x-goog-api-key": "k", "X-Goog-Upload-Header-Content-Length": "10"}
    url = httpx.post(start, headers=headers, json={"file": {}}).headers["X-Goog-Upload-URL"]

    def send(offset: str, data: bytes, address: str = url) -> httpx.Response:
        command = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": offset}
        return httpx.post(address, headers=command, content=data)

    assert error_of(send("0", b"x", url + "x"))[0] == 404
    assert error_of(send("x", b"x")) == (400, "INVALID_ARGUMENT")
    assert error_of(send("5", b"x")) == (400, "INVALID_ARGUMENT")
    assert error_of(send("0", b"too few")) == (400, "INVALID_ARGUMENT")
    huge = {**headers, "X-Goog-Upload-Header-Content-Length": str(2**31 + 1)}
    assert error_of(httpx.post(start, headers=huge, json={"file": {}})) == (400, "INVALID_ARGUMENT")
    assert error_of(httpx.post(start, headers=headers, json={"file": "x"})) == (400, "INVALID_ARGUMENT")


def test_a_chunk_may_be_sent_again(client: genai.Client, emulator: GeminiEmulator) -> None:
    """When the answer to a chunk is lost the SDK sends it again, and the file is whole."""
    emulator.faults.add(Fault(damage="no_upload_status"), route="files.chunk")
    big = plain_png() + b"\x00" * (9 * 2**20)

    file = upload(client, big)

    assert file.size_bytes == len(big)
    assert [request.route for request in emulator.requests].count("files.chunk") == 3
