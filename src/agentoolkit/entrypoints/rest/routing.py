"""The guarded routes of the API. In any application they check the caller and answer every error as a problem."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any, get_args
from urllib.parse import quote, unquote

from fastapi import APIRouter, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from agentool.caller import Scope as CallerScope
from agentoolkit.entrypoints.rest.access import AccessRules, admit, is_admitted, limited, needs
from agentoolkit.entrypoints.rest.idempotency import answered_once
from agentoolkit.entrypoints.rest.problems import RESPONSES, ApiError, invalid_request, problem_response
from agentoolkit.entrypoints.rest.refused_tasks import also_refused

Named = Annotated[str, Path(min_length=1, max_length=1_000)]
"""A name in a path."""
_BODIES = frozenset({"POST", "PUT", "PATCH"})


class NamingRoute(APIRoute):
    """A route whose path may have names with a slash, written as ``%2F``."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(_with_kept_slashes(scope))
        named: dict[str, Any] = child.get("path_params", {})
        if not named:
            return match, child
        whole = {name: value.replace(_KEPT_SLASH, "/") if isinstance(value, str) else value for name, value in named.items()}
        return match, {**child, "path_params": whole}


class GuardedRoute(NamingRoute):
    """A route that admits the caller, unless that was done, and needs the scope ``read``, or ``write`` to change something."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        scope: CallerScope | None = (self.openapi_extra or {}).get("x-scope")

        takes_query = bool(self.dependant.query_params)  # if it takes some, its model refuses unknown ones
        body: Any = self.body_field.field_info.annotation if self.body_field is not None else None
        known = _fields_of(body, *(each.field_info.annotation for each in self.dependant.query_params))

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError as error:
                return problem_response(invalid_request(error, known), await also_refused(request, error, body))
            except Exception as error:
                return problem_response(error)

        async def guarded(request: Request) -> Response:
            try:
                if not is_admitted(request.scope):
                    rules = rules_of(request)
                    await admit(request.scope, rules)
                    request = Request(request.scope, limited(request.receive, rules.max_body))
                needs(request, scope or ("read" if request.method in ("GET", "HEAD") else "write"))
                _check_media_type(request)
                if request.query_params and not takes_query:
                    unknown = next(iter(request.query_params))
                    raise ApiError(422, "invalid-request", f"Unknown parameter {unknown!r}.", field=unknown, remedy="Leave it out.")
                return await answered_once(request, answer)
            except Exception as error:
                return problem_response(error)

        return guarded


def readmission(request: Request) -> Callable[[], Awaitable[bool]]:
    """Return a function that tells whether an admitted request would still be admitted: its token may be revoked meanwhile."""
    rules = rules_of(request)

    async def is_admitted_now() -> bool:
        try:
            await admit(request.scope, rules)
        except ApiError:
            return False
        return True

    return is_admitted_now


def needing(scope: CallerScope) -> dict[str, Any]:
    """Return the OpenAPI extra of a route that needs another scope than its method implies."""
    return {"x-scope": scope}


def guarded_router(*tags: str) -> APIRouter:
    """Return a router of guarded routes."""
    return APIRouter(route_class=GuardedRoute, responses=RESPONSES, tags=list(tags), generate_unique_id_function=lambda route: route.name)


def links(source: str, target: str, *operations: str) -> dict[str, Any]:
    """Return the OpenAPI links from a field of an answer to the operations that take it as a path parameter."""
    parameters = {target: f"$response.body#/{source}"}
    return {"links": {operation: {"operationId": operation, "parameters": parameters} for operation in operations}}


def _fields_of(*models: Any) -> dict[str, FieldInfo]:
    """Return the fields of a body or of parameters, by the names that callers know."""
    chosen = [each for model in models for each in (get_args(model) or (model,)) if isinstance(each, type) and issubclass(each, BaseModel)]
    return {info.alias or name: info for model in chosen for name, info in model.model_fields.items()}


def rules_of(request: Request) -> AccessRules:
    """Return the application's rules of access. Without any, only callers on this machine need no token."""
    rules = getattr(request.app.state, "access", None)
    if rules is not None:
        return rules
    return AccessRules(token_needed=request.client is None)


def _check_media_type(request: Request) -> None:
    if request.method not in _BODIES:
        return
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    if has_body and request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "wrong-media-type", "A body must be JSON.", field="Content-Type", remedy="Send 'application/json'.")


_KEPT_SLASH = "\ue000"
"""Replaces a slash within a name until the route is found: a character for private use, which no name has."""


def _with_kept_slashes(scope: Scope) -> Scope:
    """Replace an encoded slash (``%2F``) inside a name by a placeholder, so that routing does not split the name there."""
    raw: bytes = scope.get("raw_path") or b""
    if scope["type"] != "http" or b"%2f" not in raw.lower():
        return scope
    path = re.sub("%2f", quote(_KEPT_SLASH), raw.decode("ascii", "replace").partition("?")[0], flags=re.IGNORECASE)
    return {**scope, "path": unquote(path)}
