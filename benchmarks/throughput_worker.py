"""One subject of ``embed_throughput.py`` in a process of its own: a line of JSON says what to do, a line says how long.

Knows this package and its peers only by name, so that it runs in an environment that has one of them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODEL = "gemini-embedding-2"
_BATCH = 100
_WORDS = (
    "The bearing of spindle {n} is checked each morning for oil, play and temperature, and what is found goes into the "
    "book beside the machine. Where the housing is warmer than the hand can bear the spindle is stopped, the grease is "
    "renewed and the alignment of the belt is measured again; the foreman signs for it. Sheet {n} of the book."
)
Vectors = Sequence[Sequence[float]]
Call = Callable[[list[Any]], Vectors]


@dataclass(frozen=True)
class Job:
    """What to embed, and where.

    Attributes:
        base_url: the emulator.
        count: texts, or pictures.
        dimension: numbers in a vector.
        vertex: whether its Vertex paths are meant, where a request holds one content.
        concurrency: requests of the bare client under way at once.
        pictures: a folder of pictures to embed instead of texts.
        contents_per_minute: the quota this package is told.
    """

    base_url: str
    count: int
    dimension: int
    vertex: bool = False
    concurrency: int = 32
    pictures: str | None = None
    contents_per_minute: int | None = None

    def inputs(self) -> list[Any]:
        """The texts, or the bytes of the pictures."""
        if self.pictures:
            return [Path(self.pictures, f"{n}.png").read_bytes() for n in range(self.count)]
        return [_WORDS.format(n=n) for n in range(self.count)]


def prefixed(texts: list[str]) -> list[str]:
    """The texts as this package sends them, so that all subjects send the same."""
    return [f"title: none | text: {text}" for text in texts]


def credentials() -> Any:
    """A token that the emulator takes."""
    from google.auth.credentials import AnonymousCredentials

    anonymous = AnonymousCredentials()
    anonymous.token = "token"
    return anonymous


def ours(job: Job) -> Any:
    """This package's embedding model, with its own defaults."""
    from llama_index_gemini_mm import GeminiMultimodalEmbedding

    door = (
        {"vertexai": True, "project": "p", "location": "eu", "credentials": credentials()}
        if job.vertex
        else {"api_key": "offline"}
    )
    return GeminiMultimodalEmbedding(
        base_url=job.base_url,
        output_dimensionality=job.dimension,
        contents_per_minute=job.contents_per_minute,
        **door,
    )


@contextmanager
def ours_sync(job: Job) -> Iterator[Call]:
    """The synchronous call."""
    with ours(job) as model:
        yield model.get_text_embedding_batch


@contextmanager
def ours_async(job: Job) -> Iterator[Call]:
    """The asynchronous one."""
    with ours(job) as model:
        yield lambda texts: asyncio.run(model.aget_text_embedding_batch(texts))


@contextmanager
def engine(job: Job) -> Iterator[Call]:
    """This package's engine without LlamaIndex around it."""
    from llama_index_gemini_mm.engine import EmbeddingEngine, EmbedItem, EngineSettings, KeySpace, Part
    from llama_index_gemini_mm.engine.transport import Address, Transport, connect
    from llama_index_gemini_mm.limits import DEVELOPER_API

    address = Address("developer", api_key="offline", base_url=job.base_url)
    made = EmbeddingEngine(
        lambda: Transport(connect(address), MODEL, job.dimension),
        KeySpace(MODEL, job.dimension, "retrieval", 1, 1),
        EngineSettings(limits=DEVELOPER_API),
    )

    def part(one: Any) -> Part:
        return Part(text=one) if isinstance(one, str) else Part(data=one, mime_type="image/png", tokens=258)

    yield lambda inputs: made.embed([EmbedItem((part(one),)) for one in inputs])
    made.close()


@contextmanager
def llamaindex_peer(job: Job) -> Iterator[Call]:
    """``llama-index-embeddings-google-genai``, with the largest batch that the endpoint takes."""
    from llama_index.embeddings.google_genai import GoogleGenAIEmbedding

    door: dict[str, Any] = (
        {"vertexai_config": {"project": "p", "location": "eu", "credentials": credentials()}}
        if job.vertex
        else {"api_key": "offline"}
    )
    model = GoogleGenAIEmbedding(
        MODEL,
        embed_batch_size=1 if job.vertex else _BATCH,
        embedding_config={"output_dimensionality": job.dimension},
        http_options={"base_url": job.base_url},
        **door,
    )
    yield lambda texts: model.get_text_embedding_batch(prefixed(texts))


@contextmanager
def langchain_peer(job: Job) -> Iterator[Call]:
    """``langchain-google-genai``, with the largest batch that the endpoint takes."""
    from langchain_google_genai import GoogleGenerativeAIEmbeddings

    door: dict[str, Any] = (
        {"vertexai": True, "project": "p", "location": "eu", "credentials": credentials()}
        if job.vertex
        else {"google_api_key": "offline"}
    )
    model = GoogleGenerativeAIEmbeddings(
        model=MODEL, base_url=job.base_url, output_dimensionality=job.dimension, **door
    )
    size = 1 if job.vertex else _BATCH
    yield lambda texts: model.embed_documents(prefixed(texts), batch_size=size)


@contextmanager
def bare(job: Job) -> Iterator[Call]:
    """Nothing but aiohttp and orjson: encode, post, parse. Nothing is checked, counted or tried again."""
    yield lambda inputs: asyncio.run(_bare(job, inputs))


async def _bare(job: Job, inputs: list[Any]) -> Vectors:
    import aiohttp

    gate = asyncio.Semaphore(job.concurrency)
    async with aiohttp.ClientSession(base_url=job.base_url) as session:

        async def post(batch: list[Any]) -> Vectors:
            async with gate:
                path, body, headers = _request(job, batch)
                async with session.post(path, data=body, headers=headers) as reply:
                    return _vectors(await reply.read())

        size = 1 if job.vertex else _BATCH
        batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]
        return [vector for vectors in await asyncio.gather(*map(post, batches)) for vector in vectors]


def _request(job: Job, batch: list[Any]) -> tuple[str, bytes, dict[str, str]]:
    import orjson

    parts = [
        {"text": f"title: none | text: {one}"}
        if isinstance(one, str)
        else {"inline_data": {"data": base64.b64encode(one).decode(), "mime_type": "image/png"}}
        for one in batch
    ]
    json_type = {"Content-Type": "application/json"}
    if job.vertex:
        body = {"content": {"parts": parts}, "embedContentConfig": {"outputDimensionality": job.dimension}}
        path = f"/v1beta1/projects/p/locations/eu/publishers/google/models/{MODEL}:embedContent"
        return path, orjson.dumps(body), {**json_type, "Authorization": "Bearer token"}
    requests = [
        {"content": {"parts": [part]}, "outputDimensionality": job.dimension, "model": f"models/{MODEL}"}
        for part in parts
    ]
    path = f"/v1beta/models/{MODEL}:batchEmbedContents"
    return path, orjson.dumps({"requests": requests}), {**json_type, "x-goog-api-key": "offline"}


def _vectors(raw: bytes) -> Vectors:
    import orjson

    reply = orjson.loads(raw)
    return [one["values"] for one in reply.get("embeddings") or [reply["embedding"]]]


SUBJECTS: dict[str, Callable[[Job], AbstractContextManager[Call]]] = {
    "ours": ours_sync,
    "ours-async": ours_async,
    "engine": engine,
    "llama-index": llamaindex_peer,
    "langchain": langchain_peer,
    "bare": bare,
}


def main() -> None:
    """Measure as often as asked; making the model is not counted, as users make it once."""
    job = Job(**json.loads(sys.argv[2]))
    with SUBJECTS[sys.argv[1]](job) as call:
        inputs = job.inputs()
        print(json.dumps({"ready": True}), flush=True)
        for _ in sys.stdin:
            started = time.perf_counter()
            vectors = call(inputs)
            seconds = time.perf_counter() - started
            shape = [len(vectors), len(vectors[0])]
            del vectors  # not during the next call
            print(json.dumps({"seconds": seconds, "shape": shape}), flush=True)


if __name__ == "__main__":
    main()
