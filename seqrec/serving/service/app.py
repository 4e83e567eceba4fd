"""The routes of the service, and what they answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from seqrec.serving.recommend import LoadedModel, Recommendations
from seqrec.serving.service import counters
from seqrec.serving.service.body import body_of
from seqrec.serving.service.counters import Counters
from seqrec.serving.service.forms import Error, Lists, Refused, forms, openapi, read
from seqrec.serving.service.limits import Limits
from seqrec.serving.service.lines import Lines
from seqrec.serving.service.waiting import TOGETHER, Waiting
from seqrec.serving.service.watch import COUNTS, Watched

JSON = "application/json"
encode = msgspec.json.encode


class Routes:
    """Answers requests with a model.

    Args:
        model: what ``seqrec.load`` gives.
        limits: of requests.
        version: of this package.
        together: see :class:`~seqrec.serving.service.waiting.Waiting`.
    """

    def __init__(self, model: LoadedModel, limits: Limits, version: str, together: int = TOGETHER) -> None:
        self.limits, self.counters, self.waiting = limits, Counters(), Waiting(model, together)
        self.forms = forms(limits)
        items = len(model.items.raw)
        self.about = {"model": model.name, "version": version, "fingerprint": model.engine.fingerprint}
        self._health = encode({"status": "ok", **self.about, "items": items})
        self._openapi = encode(openapi(limits, version))

    def all(self) -> list[Route]:
        """Each with its path."""
        return [
            Route("/recommend", self.recommend, methods=["POST"]),
            Route("/similar", self.similar, methods=["POST"]),
            Route("/health", self.health),
            Route("/metrics", self.metrics),
            Route("/openapi.json", self.openapi),
        ]

    async def recommend(self, request: Request) -> Response:
        """The best items after each history."""
        return await self._answer(request, self.forms.recommend, self.waiting.recommend)

    async def similar(self, request: Request) -> Response:
        """The items most like each item."""
        return await self._answer(request, self.forms.similar, self.waiting.similar)

    async def health(self, request: Request) -> Response:
        """Which model answers."""
        return Response(self._health, media_type=JSON)

    async def metrics(self, request: Request) -> Response:
        """Counts since the start."""
        text = self.counters.text(self.about, self.waiting.batches)
        return Response(text, headers={"content-type": counters.CONTENT_TYPE})

    async def openapi(self, request: Request) -> Response:
        """What may be asked."""
        return Response(self._openapi, media_type=JSON)

    async def _answer(
        self, request: Request, form: msgspec.json.Decoder[Any], ask: Callable[[Any], Awaitable[Recommendations]]
    ) -> Response:
        with self._place():
            asked = read(form, await body_of(request, self.limits))
            try:
                found = await ask(asked)
            except ValueError as error:  # what only the model can know to be wrong
                raise Refused(422, str(error)) from None
        answer = Lists.of(found)
        about = {"lists": len(answer.lists)} | answer.counts
        self.counters.lists.update(about)
        request.scope[COUNTS].update(about | {"k": asked.k})
        return Response(encode(answer), media_type=JSON)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A place among the requests that are read or wait."""
        if self.counters.under_way >= self.limits.concurrency:
            raise Refused(503, f"{self.limits.concurrency} requests are under way; try again in a second")
        self.counters.under_way += 1
        try:
            yield
        finally:
            self.counters.under_way -= 1


def service(model: LoadedModel, limits: Limits, version: str, lines: Lines, together: int = TOGETHER) -> ASGIApp:
    """The application; arguments as of :class:`Routes`, and the log."""
    routes = Routes(model, limits, version, together)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        routes.waiting.close()

    handlers: dict[Any, Any] = {HTTPException: _not_served, Refused: _refused}
    watched = Middleware(Watched, routes.counters, lines, {route.path for route in routes.all()})
    app = Starlette(routes=routes.all(), middleware=[watched], exception_handlers=handlers, lifespan=lifespan)
    app.router.redirect_slashes = False
    return app


async def _refused(request: Request, error: Refused) -> Response:
    headers = {"connection": "close"} if error.closes else {}
    headers |= {"retry-after": "1"} if error.status == 503 else {}
    return Response(encode(Error(error.message)), error.status, headers, JSON)


async def _not_served(request: Request, error: HTTPException) -> Response:
    """An unknown path, or a method that it does not have."""
    words = {404: "there is no such path; see /openapi.json", 405: "this path has another method; see /openapi.json"}
    return Response(encode(Error(words.get(error.status_code, error.detail))), error.status_code, error.headers, JSON)
