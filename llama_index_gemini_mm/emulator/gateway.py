"""HTTP: every request is read, recorded, struck by a scripted fault if one is due, checked for its key, and served."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any, Literal

from aiohttp import web

from llama_index_gemini_mm.emulator.faults import Fault, Faults, spoil
from llama_index_gemini_mm.emulator.log import RecordedRequest, RequestLog
from llama_index_gemini_mm.emulator.older import OLDER_MODEL, OLDER_ROUTES
from llama_index_gemini_mm.emulator.replies import Refusal, bad_key, invalid, unknown_model
from llama_index_gemini_mm.emulator.service import Answer, Call
from llama_index_gemini_mm.emulator.wire import EmbedRequest, load_json, without_data
from llama_index_gemini_mm.limits import DEVELOPER_API, MODEL, Limits

_HEADERS = {"Vary": "Origin, X-Origin, Referer", "Server-Timing": "gfet4t7; dur=1"}
_SECRETS = ("x-goog-api-key", "authorization")
MAX_BODY_BYTES = DEVELOPER_API.inline_bytes * 4 // 3 + 2**24
"""Inline data at its limit, in base64, and room for the JSON around it."""


@dataclass(frozen=True)
class Route:
    """One method of the API: where it is, how its body is read, and who answers."""

    verb: str
    path: str
    name: str
    limits: Limits
    serve: Callable[[Call], Answer]
    parse: Callable[[Any], Sequence[EmbedRequest]] | None = None
    body: Literal["json", "bytes"] = "json"
    open_to_all: bool = False


@dataclass(frozen=True)
class _Arrival:
    """A request after reading: what the log says of it, and either the call or the reason why it is none."""

    record: RecordedRequest
    call: Call
    refusal: Refusal | None


class Gateway:
    """Serves routes over HTTP.

    Args:
        api_key: the key that is accepted; any non-empty one when None.
        latency: seconds that pass before every answer.
        log: where requests are recorded.
        faults: the script of failures.
        workers: threads for everything that takes time.
    """

    def __init__(self, api_key: str | None, latency: float, log: RequestLog, faults: Faults, workers: Executor) -> None:
        self._api_key = api_key
        self._latency = latency
        self._log = log
        self._faults = faults
        self._workers = workers

    def application(self, routes: Sequence[Route]) -> web.Application:
        """The aiohttp application; anything outside the routes is a 404 with Google's envelope."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        for route in (*routes, _unknown("*")):
            app.router.add_route(route.verb, route.path, self._handler(route))
        return app

    def _handler(self, route: Route) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await self._handle(route, request)
            except Refusal as refusal:
                return _refused(refusal)

        return handle

    async def _handle(self, route: Route, request: web.Request) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        raw = await _read(request)
        arrival = await loop.run_in_executor(self._workers, _arrive, route, request, raw)
        self._log.add(arrival.record)
        fault = self._faults.take(arrival.record) or Fault()
        await asyncio.sleep(self._latency + fault.hang)
        if fault.damage == "reset":
            return _reset(request)
        if fault.status is not None:
            return _failed(fault)
        if not route.open_to_all:
            self._authorise(arrival.call)
        _check_model(arrival.call, route)
        if arrival.refusal is not None:
            raise arrival.refusal
        call = replace(arrival.call, outcome=fault.outcome)
        answer = await loop.run_in_executor(self._workers, route.serve, call)
        if fault.damage == "lost_reply":
            return _reset(request)
        return _answered(answer, fault)

    def _authorise(self, call: Call) -> None:
        bearer = call.headers.get("authorization", "")
        token = bearer[7:].strip() if bearer[:7].lower() == "bearer " else ""
        key = call.headers.get("x-goog-api-key") or call.query.get("key", "")
        given = key or (token if call.limits.endpoint == "vertex" else "")
        if given and self._api_key in (None, given):
            return
        raise bad_key() if call.limits.endpoint == "developer" else Refusal(401)


def _arrive(route: Route, request: web.Request, raw: bytes) -> _Arrival:
    headers = {name.lower(): value for name, value in request.headers.items()}
    call = Call(route.limits, dict(request.match_info), dict(request.query), headers, str(request.url.origin()), raw)
    body, refusal = None, None
    try:
        if route.body == "json":
            body = load_json(raw)
            call = replace(call, body=body, requests=route.parse(body) if route.parse else ())
    except Refusal as error:
        refusal = error
    record = RecordedRequest(
        request.method,
        request.path,
        route.name,
        {name: "…" if name in _SECRETS else value for name, value in headers.items()},
        without_data(body),
        tuple(one.content for one in call.requests),
    )
    return _Arrival(record, call, refusal)


def _check_model(call: Call, route: Route) -> None:
    model = call.path.get("model", MODEL)
    if model == OLDER_MODEL and route.name in OLDER_ROUTES and call.limits.endpoint == "developer":
        return
    if model != MODEL:
        raise unknown_model(model, call.path["version"], route.name)


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise invalid(f"Request payload size exceeds the limit: {DEVELOPER_API.inline_bytes} bytes.") from error


def _answered(answer: Answer, fault: Fault) -> web.Response:
    payload = answer.payload
    headers = dict(answer.headers)
    if fault.damage == "no_upload_status":
        headers.pop("X-Goog-Upload-Status", None)
    elif fault.damage is not None:
        payload = spoil(payload, fault.damage)
    return _reply(200, payload, headers, answer.media_type)


def _failed(fault: Fault) -> web.Response:
    if fault.status == 502:
        page = "<!DOCTYPE html><html><title>Error 502 (Server Error)!!1</title><p>502. That is an error.</html>"
        return web.Response(status=502, text=page, content_type="text/html")
    refusal = fault.refusal()
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return _reply(refusal.code, json.dumps(refusal.body()).encode(), headers)


def _refused(refusal: Refusal) -> web.Response:
    return _reply(refusal.code, json.dumps(refusal.body()).encode(), {})


def _reply(
    status: int, payload: bytes, headers: Mapping[str, str], media_type: str = "application/json"
) -> web.Response:
    return web.Response(
        status=status, body=payload, headers={**_HEADERS, **headers}, content_type=media_type, charset="UTF-8"
    )


def _reset(request: web.Request) -> web.Response:
    """Drop the connection in the middle of the exchange, without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _unknown(verb: str) -> Route:
    def refuse(call: Call) -> Answer:
        raise Refusal(404, "The requested URL was not found on this server.")

    return Route(verb, "/{path:.*}", "unknown", DEVELOPER_API, refuse, body="bytes", open_to_all=True)
