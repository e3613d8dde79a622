"""The Files API's store: uploads in progress, and files that become active and expire."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from llama_index_gemini_mm.emulator.log import RecordedPart
from llama_index_gemini_mm.emulator.replies import JsonObject, Refusal, invalid, no_such_file
from llama_index_gemini_mm.limits import FILES_MAX_BYTES, FILES_TTL_HOURS

FileState = Literal["PROCESSING", "ACTIVE"]
FileSource = Literal["UPLOADED", "GENERATED"]
Clock = Callable[[], datetime]


_READY_AT_ONCE = ("jsonl", "application/jsonl")
_LONGEST_DELETED_ID = 40
"""The service refuses to delete files with longer ids, although it gives such ids to the results of batch jobs."""


def utc_now() -> datetime:
    """The present, aware of its zone."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class StoredFile:
    """One file; ``name`` is ``files/<id>`` and ``uri`` its address on this server. Generated ones can be downloaded."""

    name: str
    uri: str
    display_name: str
    mime_type: str
    data: bytes
    created: datetime
    active_from: datetime
    source: FileSource = "UPLOADED"

    @property
    def expires(self) -> datetime:
        """When it vanishes."""
        return self.created + timedelta(hours=FILES_TTL_HOURS)

    def state(self, now: datetime) -> FileState:
        """Whether it can be used yet."""
        return "ACTIVE" if now >= self.active_from else "PROCESSING"

    def json(self, now: datetime) -> JsonObject:
        """The File resource."""
        digest = hashlib.sha256(self.data).hexdigest().encode()
        shown: JsonObject = {
            "name": self.name,
            "mimeType": self.mime_type,
            "sizeBytes": str(len(self.data)),
            "createTime": stamp(self.created),
            "updateTime": stamp(self.created),
            "expirationTime": stamp(self.expires),
            "sha256Hash": base64.b64encode(digest).decode(),
            "uri": self.uri,
            "state": self.state(now),
            "source": self.source,
        }
        if self.source == "GENERATED":
            shown["downloadUri"] = f"{self.uri}:download?alt=media"
        return {**shown, "displayName": self.display_name} if self.display_name else shown


@dataclass(frozen=True)
class Upload:
    """A resumable upload so far."""

    file: StoredFile
    expected: int | None


class FileStore:
    """Files of one project, in memory.

    Args:
        processing_seconds: how long a file stays in ``PROCESSING``.
        clock: the time, as an aware datetime.
    """

    def __init__(self, processing_seconds: float, clock: Clock) -> None:
        self._processing = timedelta(seconds=processing_seconds)
        self._clock = clock
        self._files: dict[str, StoredFile] = {}
        self._uploads: dict[str, Upload] = {}
        self._lock = threading.Lock()

    def begin(self, file: JsonObject, mime_type: str, size: int | None, base_url: str) -> str:
        """Start an upload and return its id.

        Raises:
            Refusal: 400 when the file would be too large, 409 when its name is taken.
        """
        if size is not None and size > FILES_MAX_BYTES:
            raise invalid(f"File size exceeds the limit: {FILES_MAX_BYTES} bytes.")
        name = str(file.get("name") or f"files/{secrets.token_hex(6)}")
        now = self._clock()
        with self._lock:
            if name in self._files:
                raise Refusal(409, f"File {name} already exists.", status="ALREADY_EXISTS")
            upload_id = secrets.token_urlsafe(16)
            uri, shown_name = f"{base_url}/{name}", str(file.get("display_name") or "")
            self._uploads[upload_id] = Upload(StoredFile(name, uri, shown_name, mime_type, b"", now, now), size)
        return upload_id

    def append(self, upload_id: str, offset: int, chunk: bytes, *, final: bool) -> StoredFile | None:
        """Add a chunk; the finished file when it was the last.

        Raises:
            Refusal: 404 for an unknown upload, 400 for a wrong offset or size.
        """
        with self._lock:
            upload = self._uploads.get(upload_id)
            if upload is None:
                raise Refusal(404, "Upload not found.")
            if offset > len(upload.file.data):
                raise invalid(f"Upload offset is {offset}, expected {len(upload.file.data)}.")
            # A smaller offset is a chunk sent again, because the answer to it was lost.
            file = replace(upload.file, data=upload.file.data[:offset] + chunk)
            self._uploads[upload_id] = replace(upload, file=file)
            if not final:
                return None
            if upload.expected is not None and upload.expected != len(file.data):
                raise invalid(f"Upload holds {len(file.data)} bytes, {upload.expected} were announced.")
            del self._uploads[upload_id]
            now = self._clock()
            ready = now if file.mime_type in _READY_AT_ONCE else now + self._processing
            self._files[file.name] = replace(file, created=now, active_from=ready)
            return self._files[file.name]

    def generate(self, name: str, data: bytes, base_url: str) -> None:
        """Add a file that the server itself has made, which clients may download."""
        now = self._clock()
        with self._lock:
            uri = f"{base_url}/{name}"
            self._files[name] = StoredFile(name, uri, "", "application/jsonl", data, now, now, "GENERATED")

    def download(self, name: str) -> bytes:
        """The content of a generated file.

        Raises:
            Refusal: 403 when there is none, 400 for one that was uploaded.
        """
        file = self.get(name)
        if file.source != "GENERATED":
            raise invalid(f"File {name} was uploaded and cannot be downloaded.")
        return file.data

    def get(self, name: str) -> StoredFile:
        """A file by its name.

        Raises:
            Refusal: 403 when there is none.
        """
        with self._lock:
            self._expire()
            if name not in self._files:
                raise no_such_file(name.removeprefix("files/"))
            return self._files[name]

    def delete(self, name: str) -> None:
        """Remove a file.

        Raises:
            Refusal: 403 when there is none, 400 for an id of more than 40 characters.
        """
        if len(name.removeprefix("files/")) > _LONGEST_DELETED_ID:
            bound = f"cannot be more than {_LONGEST_DELETED_ID} characters"
            raise invalid(f"* DeleteFileRequest.name: File ID (name excluding 'files/') {bound}.")
        self.get(name)
        with self._lock:
            self._files.pop(name, None)

    def page(self, start: int, size: int) -> tuple[list[StoredFile], int | None]:
        """Some files, newest first, and where the next page starts."""
        with self._lock:
            self._expire()
            files = list(reversed(self._files.values()))
        end = start + size
        return files[start:end], end if end < len(files) else None

    def resolve(self, part: RecordedPart) -> RecordedPart:
        """The part with the bytes of the file that it names.

        Raises:
            Refusal: 400 for an address outside this server or a file in ``PROCESSING``, 403 for an unknown file.
        """
        _, found, file_id = (part.file_uri or "").rpartition("files/")
        if not found:
            raise invalid("Cannot fetch content from the provided URL: only uploaded files are known here.")
        file = self.get(f"files/{file_id}")
        if file.state(self._clock()) != "ACTIVE":
            raise Refusal(400, f"The File {file_id} is not in an ACTIVE state.", status="FAILED_PRECONDITION")
        return replace(
            part,
            mime_type=part.mime_type or file.mime_type,
            data=file.data,
            size=len(file.data),
            sha256=hashlib.sha256(file.data).hexdigest(),
        )

    def _expire(self) -> None:
        now = self._clock()
        self._files = {name: file for name, file in self._files.items() if now < file.expires}


def stamp(moment: datetime) -> str:
    """A time as the service writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
