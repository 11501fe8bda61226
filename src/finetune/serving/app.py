"""The routes: OpenAI's shapes, the kinds' own endpoints, health, metrics and the page."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from finetune.core.rows import TaskRow
from finetune.modeling.prompts import Encoded
from finetune.serving import chats, log, page
from finetune.serving.answering import TEXT, TYPED
from finetune.serving.batching import Job
from finetune.serving.decoding import Completion, TextRequest
from finetune.serving.errors import ApiError
from finetune.serving.guard import Guard
from finetune.serving.keys import Keys
from finetune.serving.log import Logged, RequestLog
from finetune.serving.models import Served
from finetune.serving.openai import (
    ChatRequest,
    CompletionRequest,
    Envelope,
    Sampling,
)
from finetune.serving.server import Server
from finetune.serving.typed import Endpoint, TypedRequest

DONE = "data: [DONE]\n\n"


def create(
    server: Server, keys: Keys | None, any_host: bool = False, request_log: RequestLog | None = None
) -> ASGIApp:
    """The application; with `keys` all but health and the page asks for one of them.

    Without, `any_host` says that requests to other names than localhost are answered. Requests to
    models are logged where there is a log.
    """
    app = FastAPI(title="finetune serve", docs_url=None, redoc_url=None)
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    _add_operations(app, server)
    _add_openai(app, server)
    endpoints = {
        served.endpoint.path: served.endpoint
        for served in server.models.values()
        if served.endpoint is not None
    }
    for endpoint in endpoints.values():
        _add_typed(app, server, endpoint)
    paths = [str(getattr(route, "path", "")) for route in app.routes]
    inner = app if request_log is None else Logged(app, request_log)
    return Guard(inner, keys, server.limits, server.metrics, paths, any_host)


def _add_operations(app: FastAPI, server: Server) -> None:
    html, policy = page.html(list(server.models.values()))

    @app.get("/", response_class=HTMLResponse)
    async def index() -> HTMLResponse:
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    @app.get("/healthz")
    async def healthz() -> Response:
        is_alive = server.batcher.is_alive
        body = {"status": "ok" if is_alive else "the inference thread has ended"}
        return JSONResponse(body, 200 if is_alive else 503)

    @app.get("/readyz")
    async def readyz() -> Response:
        is_ready = server.batcher.is_accepting
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(server.metrics.text(), media_type="text/plain; version=0.0.4")


def _add_openai(app: FastAPI, server: Server) -> None:
    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [_card(server, each) for each in server.models.values()]}

    @app.get("/v1/models/{name}")
    async def model(name: str) -> dict[str, Any]:
        return _card(server, server.served(name))

    @app.post("/v1/chat/completions")
    async def chat(request: Request, asked: ChatRequest) -> Response:
        served = _writer(server, asked.model)
        turns = [(message.role, message.text) for message in asked.messages]
        log.of_input(request, served, lambda: chats.stripped(served.encoder, turns[-1][1]))
        encoded = await server.tokenized(chats.encode, served.encoder, turns, asked.truncate)
        log.of_tokens(request, len(encoded.ids), encoded.truncated)
        work = _work(server, served, asked, encoded.ids)
        return await _completed(server, request, asked, [work], is_chat=True)

    @app.post("/v1/completions")
    async def completions(request: Request, asked: CompletionRequest) -> Response:
        served = _writer(server, asked.model)
        prompts = asked.prompts
        if not 1 <= len(prompts) <= server.limits.prompts:
            message = f"prompt: a request may have 1 to {server.limits.prompts} of them"
            raise ApiError(400, message, param="prompt")
        if asked.stream and len(prompts) > 1:
            raise ApiError(400, "stream: of one prompt only", param="stream")
        log.of_input(request, served, lambda: "\n".join(p for p in prompts if isinstance(p, str)))
        works = [
            _work(server, served, asked, await server.tokenized(_ids, served, prompt))
            for prompt in prompts
        ]
        log.of_tokens(request, sum(len(work.ids) for work in works), truncated=False)
        return await _completed(server, request, asked, works, is_chat=False)


def _card(server: Server, served: Served) -> dict[str, Any]:
    return {
        "id": served.name,
        "object": "model",
        "created": server.started,
        "owned_by": "finetune",
        "task": served.task,
        "kind": served.options.kind,
        "endpoint": served.endpoint.path if served.endpoint else None,
        "adapter_hash": served.adapter_hash,
    }


def _writer(server: Server, name: str) -> Served:
    served = server.served(name)
    if not served.writes_text:
        path = served.endpoint.path if served.endpoint else "none"
        message = f"{name} answers with a number and writes no text; its endpoint: {path}"
        raise ApiError(400, message, "no_text", "model")
    return served


def _ids(served: Served, prompt: str | list[int]) -> list[int]:
    """The ids of a prompt that is continued as it is."""
    ids = prompt if isinstance(prompt, list) else chats.raw(served.encoder, prompt)
    size = served.base.model.config.get_text_config().vocab_size
    if not ids or not all(0 <= each < size for each in ids):
        message = f"prompt: must be text, or token ids from 0 to {size - 1}, and not empty"
        raise ApiError(400, message, param="prompt")
    return ids


def _work(server: Server, served: Served, asked: Sampling, ids: list[int]) -> TextRequest:
    """The prompt and its sampling, within the limits."""
    default = min(served.options.prompt.max_completion_tokens, server.limits.new_tokens)
    wanted = asked.wanted_tokens or default
    if wanted > server.limits.new_tokens:
        message = f"max_tokens: is {wanted}, may be {server.limits.new_tokens}"
        raise ApiError(400, message, param="max_tokens")
    if len(ids) + wanted > served.base.context:
        raise ApiError(
            400,
            f"{len(ids)} tokens of the prompt and {wanted} new ones are more than the model's "
            f"context of {served.base.context}",
            "context_length_exceeded",
        )
    return TextRequest(ids, wanted, asked.temperature or 0.0, asked.seed or 0, asked.stops)


async def _completed(
    server: Server, request: Request, asked: Sampling, works: Sequence[TextRequest], is_chat: bool
) -> Response:
    group, envelope = (asked.model, TEXT), Envelope(asked.model, is_chat)
    prompt_tokens = sum(len(work.ids) for work in works)
    if not asked.stream:
        jobs = [Job(group, work) for work in works]
        done: list[Completion] = await server.answers(request, jobs)
        written = sum(each.num_tokens for each in done)
        server.metrics.tokens(asked.model, prompt_tokens, written)
        log.of_texts(request, done)
        return JSONResponse(envelope.whole(done, prompt_tokens))
    job, pieces = await server.pieces(request, works[0], group)

    async def events() -> AsyncIterator[str]:
        yield _event(envelope.chunk("", is_first=True))
        try:
            async for piece in pieces:
                yield _event(envelope.chunk(piece, is_first=False))
            completion = job.future.result()
        except ApiError as error:
            yield _event(error.body)
            return
        finally:
            job.future.cancel()
        server.metrics.tokens(asked.model, prompt_tokens, completion.num_tokens)
        log.of_texts(request, [completion])
        yield _event(envelope.last(completion))
        if asked.with_usage:
            yield _event(envelope.usage_chunk(prompt_tokens, completion))
        yield DONE

    return StreamingResponse(events(), media_type="text/event-stream")


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _add_typed(app: FastAPI, server: Server, endpoint: Endpoint) -> None:
    of_endpoint = [each for each in server.models.values() if each.endpoint is endpoint]

    async def answer(request: Request, asked: TypedRequest) -> Any:
        served = of_endpoint[0] if asked.model is None else server.served(asked.model)
        if served not in of_endpoint:
            names = ", ".join(each.name for each in of_endpoint)
            message = f"{served.name} is not asked here; at {endpoint.path} are: {names}"
            raise ApiError(400, message, param="model")
        try:
            row = endpoint.row(getattr(asked, endpoint.input), served.options.prompt)
        except ValueError as error:
            raise ApiError(400, str(error), param=endpoint.input) from error
        log.of_input(request, served, lambda: row.input)
        encoded = await server.tokenized(_check, served, row, endpoint.input, asked.truncate)
        log.of_tokens(request, len(encoded.ids), encoded.truncated)
        (fields,) = await server.answers(request, [Job((served.name, TYPED), row)])
        log.of_answer(request, fields[endpoint.prediction], fields)
        return {"model": served.name, **fields}

    answer.__annotations__ |= {"asked": endpoint.request, "return": endpoint.answer}
    app.add_api_route(
        endpoint.path, answer, methods=["POST"], response_model=endpoint.answer,
        summary=endpoint.title,
    )  # fmt: skip


def _check(served: Served, row: TaskRow, field: str, truncate: bool) -> Encoded:
    if not row.input:
        raise ApiError(400, f"{field}: holds no text", param=field)
    return chats.fitting(served.encoder, row.input, truncate)


async def _api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    log.of_error(request, error.code)
    return JSONResponse(error.body, error.status, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
    """One line for a body that is no JSON, or has wrong fields; without what the client sent."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        said = f"the body is no JSON ({first.get('ctx', {}).get('error', 'broken')})"
        return await _api_error(request, ApiError(400, said, "invalid_json"))
    # Of a field that may have several types the place names each of them.
    place = ".".join(str(part) for part in first["loc"] if part != "body")
    said = f"{place or 'the body'}: {first['msg']}".encode(errors="replace").decode()
    param = place.encode(errors="replace").decode()[:80] or None
    return await _api_error(request, ApiError(400, said[:400], "invalid_request", param))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = error.headers or {}
    known = {
        404: "no such path; see GET /v1/models",
        405: f"this path is asked by {headers.get('Allow', 'another method')}; see /openapi.json",
    }
    said = known.get(error.status_code, str(error.detail))
    answer = await _api_error(request, ApiError(error.status_code, said))
    answer.headers.update(headers)
    return answer
