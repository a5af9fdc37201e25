"""The application: the table of calls on FastAPI, each a plain handler behind the same door (who asks, policy, errors).

FastAPI's own request machinery is left aside on purpose: it bounded a prototype's throughput, and one kind of handler
for hot and cold routes is easier to read than two. OpenAPI is made from the same table (`routes/openapi.py`).
"""

import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from barnstorm_server import freeze
from barnstorm_server.agents.crew import Crew
from barnstorm_server.auth.policy import check
from barnstorm_server.routes.http import Ask, refusal, shape
from barnstorm_server.routes.openapi import document
from barnstorm_server.routes.table import CALLS, Call
from barnstorm_server.services import Services
from barnstorm_server.settings import Settings

log = logging.getLogger("barnstorm.http")


def build(settings: Settings) -> FastAPI:
    """The server's application. The store is opened here, so that what is wrong with it stops the start."""
    services = Services(settings)
    crew = Crew(services)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.start()
        crew.start()
        freeze.after_start()
        yield
        crew.stop()
        services.stop()

    app = FastAPI(
        title="Barnstorm",
        lifespan=lifespan,
        openapi_url="/openapi.json",
        docs_url="/docs",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
    )
    app.state.services = services
    app.state.stopping = services.wakeups.stop  # called when the server is asked to stop, before it closes connections
    app.router.routes.extend(Route(call.path, _door(call, services), methods=[call.method]) for call in CALLS)
    app.openapi = lambda: document(CALLS)  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, _no_route)
    return app


def _door(call: Call, services: Services) -> Callable[[Request], Awaitable[Response]]:
    """The handler of a call with what all calls share."""

    async def enter(request: Request) -> Response:
        try:
            token = request.headers.get("authorization", "")
            scheme, _, credentials = token.partition(" ")
            principal = services.authority.verify(credentials.strip()) if scheme.lower() == "bearer" else None
            scope = check(principal, call.method, call.path, request.path_params)
            return await call.handler(Ask(request, services, principal, scope))
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception as error:  # noqa: BLE001 - the last line of defence; what is ours is logged there
            return _refused(error)

    return enter


def _refused(error: Exception) -> Response:
    """The answer to an error: the caller's in the one shape, ours as a 500 with an id that the log names too."""
    answer = refusal(error)
    if answer is not None:
        return answer
    if isinstance(error, DataError):  # a value that no check had foreseen
        return JSONResponse(shape("invalid", f"a value does not fit: {str(error.orig)[:200]}"), 422)
    if isinstance(error, SQLAlchemyError) and _is_busy(error):
        return JSONResponse(shape("busy", "the database does not answer now; try again"), 503, {"Retry-After": "2"})
    if isinstance(error, OSError) and error.errno in (28, 122):  # no space, over quota
        return JSONResponse(shape("busy", "the server's disk is full; tell its operator"), 503, {"Retry-After": "30"})
    number = uuid.uuid4().hex[:12]
    log.error("a request failed: %s", number, exc_info=error)
    message = f"the server failed at this; its log names the error {number}"
    return JSONResponse(shape("internal", message, ids=[number]), 500)


def _is_busy(error: SQLAlchemyError) -> bool:
    text = str(error)
    return "locked" in text or "connection" in text or "disk is full" in text


async def _no_route(request: Request, error: Exception) -> Response:
    """404 and 405 in the one shape."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    message = f"there is no {request.method} {request.url.path} here"
    code = "not_found" if status == 404 else "invalid"
    return JSONResponse(shape(code, message), status)
