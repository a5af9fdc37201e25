"""All messages: what is sent is read back the same, and the server refuses fields that it does not know."""

import dataclasses
import importlib
import json
import pkgutil
import typing
from collections.abc import Iterator
from typing import Any, Literal, Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import barnstorm.model
from barnstorm.model.base import Spec, from_wire, to_wire
from barnstorm.model.faults import FAULTS


def message_classes() -> Iterator[type]:
    """Every message and document of the model."""
    for module in pkgutil.iter_modules(barnstorm.model.__path__):
        found = importlib.import_module(f"barnstorm.model.{module.name}")
        for value in vars(found).values():
            if isinstance(value, type) and issubclass(value, Spec) and value.__module__ == found.__name__:
                yield value


MESSAGES = sorted((cls for cls in message_classes() if cls is not Spec), key=lambda cls: cls.__name__)
by_name = pytest.mark.parametrize("cls", MESSAGES, ids=lambda cls: cls.__name__)

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


def strategy(hint: Any, metadata: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type that keep to its constraints."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return JSON
    if origin is Literal:
        return st.sampled_from(args)
    if origin is Union:
        return st.one_of([strategy(arg, metadata) for arg in args])
    if origin is list:
        return st.lists(strategy(args[0], {}), max_size=2)
    if origin is dict:
        return st.dictionaries(TEXT, strategy(args[1], {}), max_size=2)
    if hint is type(None):
        return st.none()
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.integers(int(metadata.get("ge", -1000)), int(metadata.get("le", 2**31)))
    if hint is float:
        return st.floats(metadata.get("ge", -1e6), metadata.get("le", 1e6), allow_nan=False)
    if hint is str:
        if "pattern" in metadata:
            return st.from_regex(metadata["pattern"].replace("$", r"\Z"), alphabet=st.characters(codec="ascii"))
        return TEXT.filter(bool) if metadata.get("min_length") else TEXT
    return messages(hint)


def messages(cls: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(cls)
    return st.builds(cls, **{f.name: strategy(hints[f.name], f.metadata) for f in dataclasses.fields(cls)})


def test_all_classes_are_found() -> None:
    names = {cls.__name__ for cls in MESSAGES}
    assert {"TaskSpec", "QueueConfig", "LeaseRequest", "LeaseAnswer", "HarvesterHello", "Demand", "WireError"} <= names
    assert len(MESSAGES) > 45


@by_name
@settings(max_examples=25)
@given(data=st.data())
def test_what_is_sent_is_read_back_the_same(cls: type[Spec], data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    wire = json.loads(json.dumps(to_wire(message)))
    assert from_wire(cls, wire) == message


@by_name
@settings(max_examples=10)
@given(data=st.data())
def test_the_server_reads_what_a_client_sends(cls: type[Spec], data: st.DataObject) -> None:
    message = data.draw(messages(cls))
    assert TypeAdapter(cls).validate_json(json.dumps(to_wire(message))) == message


def minimal(cls: Any) -> dict[str, Any]:
    """The smallest document of a class: what has no default."""
    document = {}
    for f in dataclasses.fields(cls):
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING:
            hint = typing.get_type_hints(cls)[f.name]
            document[f.metadata.get("alias", f.name)] = example(hint, f.metadata)
    return document


def example(hint: Any, metadata: Any) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Union:
        return example(args[0], metadata)
    if origin is Literal:
        return args[0]
    if origin is list:
        return []
    if dataclasses.is_dataclass(hint):
        return minimal(hint)
    by_type = {str: "ab" * 32 if "pattern" in metadata else "x", int: 1, float: 1.0, bool: True}
    return "site:/x" if "site:" in metadata.get("pattern", "") else by_type[hint]


@by_name
def test_the_server_refuses_an_unknown_field(cls: type[Spec]) -> None:
    adapter = TypeAdapter(cls)
    document = minimal(cls)
    adapter.validate_python(document)
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python({**document, "no_such_field": 1})
    assert [error["loc"] for error in caught.value.errors()] == [("no_such_field",)]


@by_name
def test_a_client_lives_with_fields_of_a_newer_server(cls: type[Spec]) -> None:
    document = minimal(cls)
    assert from_wire(cls, {**document, "of_tomorrow": {"x": 1}}) == from_wire(cls, document)


@by_name
def test_what_is_the_default_is_not_sent(cls: type[Spec]) -> None:
    document = minimal(cls)
    kind = {"kind"} if any(f.name == "kind" for f in dataclasses.fields(cls)) else set()
    assert set(to_wire(from_wire(cls, document))) <= set(document) | kind


@by_name
def test_a_missing_field_is_missed(cls: type[Spec]) -> None:
    for name in minimal(cls):
        document = {key: value for key, value in minimal(cls).items() if key != name}
        with pytest.raises(TypeError):
            from_wire(cls, document)
        with pytest.raises(ValidationError):
            TypeAdapter(cls).validate_python(document)


NUMBERS = [
    (cls, f.metadata.get("alias", f.name))
    for cls in MESSAGES
    for f in dataclasses.fields(cls)
    if typing.get_type_hints(cls)[f.name] in (float, float | None)
]


@pytest.mark.parametrize(("cls", "name"), NUMBERS, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_is_finite(cls: type[Spec], name: str, number: str) -> None:
    """JSON has no other, and no database orders by them."""
    rest = "".join(f', "{key}": {json.dumps(value)}' for key, value in minimal(cls).items() if key != name)
    with pytest.raises(ValidationError):
        TypeAdapter(cls).validate_json(f'{{"{name}": {number}{rest}}}')


def test_each_fault_says_what_it_means_and_who_can_mend_it() -> None:
    for code, fault in FAULTS.items():
        assert code == fault.code
        assert len(code) <= 32
        assert fault.meaning
        assert fault.blame in ("user", "site", "system")
