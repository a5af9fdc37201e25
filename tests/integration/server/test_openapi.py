"""The OpenAPI document: valid, complete, and its examples work."""

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.services.server import Server

from barnstorm_server.auth.policy import POLICIES
from barnstorm_server.routes.examples import EXAMPLES
from barnstorm_server.routes.table import CALLS

from .cast import Cast


@pytest.fixture(scope="module")
def document(server: Server) -> dict[str, Any]:
    return dict(server.ask("GET", "/openapi.json").json)


def operations(document: dict[str, Any]) -> dict[tuple[str, str], Any]:
    found = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[method.upper(), path] = operation
    return found


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    assert [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_each_call_is_in_it_with_a_description(document: dict[str, Any]) -> None:
    found = operations(document)
    assert set(found) == {(call.method, call.path.replace(":path}", "}")) for call in CALLS}
    for key, operation in found.items():
        assert operation["summary"], key
        assert operation["description"], key
        for parameter in operation["parameters"]:
            assert parameter["in"] in ("path", "query")


def test_each_path_parameter_is_declared(document: dict[str, Any]) -> None:
    for (_, path), operation in operations(document).items():
        declared = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path))


def test_calls_that_need_a_token_say_so(document: dict[str, Any]) -> None:
    found = operations(document)
    for call in CALLS:
        needs = "security" in found[call.method, call.path.replace(":path}", "}")]
        assert needs is not POLICIES[call.method, call.path].public


def test_each_call_with_a_message_has_its_schema_and_an_example(document: dict[str, Any]) -> None:
    found = operations(document)
    for call in CALLS:
        if call.takes is not None:
            content = found[call.method, call.path]["requestBody"]["content"]["application/json"]
            assert content["schema"]
            assert content["example"] == EXAMPLES[call.method, call.path]


def test_all_references_lead_somewhere(document: dict[str, Any]) -> None:
    names = set(re.findall(r"#/components/schemas/([\w.-]+)", str(document)))
    assert names <= set(document["components"]["schemas"])


def test_no_example_is_of_a_call_that_is_gone() -> None:
    assert set(EXAMPLES) <= {(call.method, call.path) for call in CALLS}


@pytest.mark.parametrize(("method", "path"), EXAMPLES, ids=lambda value: str(value))
def test_each_example_is_accepted_or_refused_for_what_is_not_there(cast: Cast, method: str, path: str) -> None:
    """Where it names things by number, these are others' or none; its form is right in any case."""
    cast.admin.apply_queue({"name": "local"})
    example = EXAMPLES[method, path]
    pilot = cast.pilot()
    task = cast.submit(over=None) if "retry" not in path else cast.submit()
    tokens = {
        "harvester": cast.server.token("harvester", "edge"),
        "pilot": pilot.token,
        "join": cast.join("local"),
        "operator": cast.server.operator,
        "user": cast.ada_token,
    }
    kinds = POLICIES[method, path].kinds
    kind = "user" if "user" in kinds and "tokens" not in path else next(one for one in tokens if one in kinds)
    where = path.replace("{pilot}", pilot.id).replace("{task}", str(task)).replace("{name}", "edge")
    where = where.replace("{queue}", "local")
    if ("workers" in path or "heartbeat" in path) and kind == "harvester":
        cast.server.ask("POST", "/v1/harvesters/edge/heartbeat", tokens["harvester"], {})
    said = cast.server.ask(method, where, tokens[kind], example)
    expected = {
        "/v1/kill": (404, "not_found"),  # not hers
        "/v1/tasks/{task}/retry": (422, "invalid"),  # it has one job, the example names eight
        "/v1/queues/{queue}/workers": (201, "") if said.status == 201 else (409, "conflict"),
    }
    if path in expected:
        assert (said.status, said.code if said.status >= 400 else "") == expected[path]
    else:
        assert said.status in (200, 201), said
    if path == "/v1/tasks":
        cast.ada.kill([str(said.json["id"])])  # others' pilots would take it


def test_the_page_for_people_is_there(server: Server) -> None:
    said = server.ask("GET", "/docs")
    assert said.status == 200
    assert b"Barnstorm" in said.body


def test_the_schema_of_queue_files_is_served(cast: Cast) -> None:
    schema = cast.server.ask("GET", "/v1/queue.schema.json", cast.ada_token).json
    assert {"name", "accepts", "lanes", "$schema"} <= set(schema["properties"])
    assert "if" in schema["$defs"]["Lane"]["properties"]
