"""The OpenAPI document, made from the table of calls and the model's own types."""

import inspect
import re
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter

from barnstorm.model.errors import WireError
from barnstorm_server.auth.policy import POLICIES

from .examples import EXAMPLES
from .table import Call

_INTEGERS = {"limit", "offset", "after", "version", "job"}


@cache
def document(calls: Sequence[Call]) -> dict[str, Any]:
    """OpenAPI 3.1 of these calls: descriptions from the handlers, schemas from the model, examples beside them."""
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for call in calls:
        path = re.sub(r":path}", "}", call.path)
        paths.setdefault(path, {})[call.method.lower()] = _operation(call, path, schemas)
    schemas["Error"] = {"type": "object", "required": ["error"], "properties": {"error": _schema(WireError, schemas)}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Barnstorm", "version": version("barnstorm"), "description": "One place to send work to."},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(call: Call, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    told = inspect.getdoc(call.handler) or ""
    answer: dict[str, Any] = {"description": "done"}
    if call.gives is not None:
        answer["content"] = {"application/json": {"schema": _schema(call.gives, schemas)}}
    operation: dict[str, Any] = {
        "summary": told.split("\n")[0],
        "description": told,
        "operationId": f"{call.handler.__module__.rsplit('.', 1)[-1]}_{call.handler.__name__}_{call.method.lower()}",
        "tags": [call.group],
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"{(\w+)}", path)
            ),
            *(
                {"name": name, "in": "query", "schema": {"type": "integer" if name in _INTEGERS else "string"}}
                for name in call.query
            ),
        ],
        "responses": {
            str(call.status): answer,
            "4XX": _error("refused"),
            "503": _error("no room now; see Retry-After"),
        },
    }
    if call.takes is not None:
        content: dict[str, Any] = {"schema": _schema(call.takes, schemas)}
        if (call.method, call.path) in EXAMPLES:
            content["example"] = EXAMPLES[call.method, call.path]
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    if not POLICIES[call.method, call.path].public:
        operation["security"] = [{"token": []}]
    return operation


def _schema(message: Any, schemas: dict[str, Any]) -> dict[str, Any]:
    schema = TypeAdapter(message).json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(schema.pop("$defs", {}))
    return schema


def _error(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
