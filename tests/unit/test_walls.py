"""The walls that import-linter cannot see: the standard library alone, and Python 3.9 where nodes have no newer."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "client" / "barnstorm" / "model"
CLIENT = ROOT / "client"
PILOT = ROOT / "pilot"
PY39 = (CLIENT, PILOT, ROOT / "plugins" / "barnstorm_plugins" / "stagers")
MOST_LINES = 600

# In today's standard library, but not in that of Python 3.9.
NEWER_MODULES = {"tomllib", "annotationlib", "compression", "pathlib.types", "string.templatelib"}
NEWER_NAMES = {
    "asyncio": {"Runner", "TaskGroup", "timeout"},
    "contextlib": {"aclosing", "chdir"},
    "datetime": {"UTC"},
    "enum": {"ReprEnum", "StrEnum"},
    "itertools": {"batched", "pairwise"},
    "types": {"NoneType", "UnionType"},
    "typing": {
        "Concatenate", "LiteralString", "Never", "NotRequired", "ParamSpec", "Required", "Self", "TypeAlias",
        "TypeGuard", "Unpack", "assert_never", "assert_type", "dataclass_transform", "override", "reveal_type",
    },
}  # fmt: skip
# Keyword arguments that Python 3.9 does not know, by the function that takes them.
NEWER_KEYWORDS = {"dataclass": {"kw_only", "slots", "weakref_slot"}, "field": {"kw_only"}, "zip": {"strict"}}


def python_files(*folders: Path) -> list[Path]:
    found = []
    for folder in folders:
        for where, inner, names in os.walk(folder):
            inner[:] = [
                name for name in inner if not name.startswith(".") and name not in ("__pycache__", "build", "dist")
            ]
            found += [Path(where, name) for name in names if name.endswith(".py")]
    return sorted(found)


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def package_of(path: Path) -> list[str]:
    """The package that a relative import in this file starts from; a part's own folder is not a package."""
    return list(path.relative_to(ROOT).parts[1:-1])


def imports(path: Path, nodes: Iterator[ast.AST]) -> Iterator[tuple[ast.AST, str]]:
    """Each import among the nodes with the full name of what it imports: `from a import b` gives a.b."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom):
            package = package_of(path)
            base = package[: len(package) - node.level + 1] if node.level else []
            for alias in node.names:
                yield node, ".".join([*base, *filter(None, [node.module]), alias.name])


def at_module_level(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)


def inside(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def is_stdlib(name: str) -> bool:
    return name.split(".")[0] in sys.stdlib_module_names


def test_model_imports_only_the_standard_library_and_itself() -> None:
    files = python_files(MODEL)
    assert files
    offences = [
        f"{place(path, node)} imports {name}"
        for path in files
        for node, name in imports(path, ast.walk(ast.parse(path.read_text())))
        if not is_stdlib(name) and not inside(name, ("barnstorm.model",))
    ]
    assert offences == []


def test_pilot_imports_only_what_ships_inside_it() -> None:
    """At module level; psutil may be tried. What a plugin needs is imported where it is used."""
    files = python_files(PILOT)
    assert files
    offences = []
    for path in files:
        tree = ast.parse(path.read_text())
        tried = {inner for node in ast.walk(tree) if isinstance(node, ast.Try) for inner in ast.walk(node)}
        for node, name in imports(path, at_module_level(tree)):
            if is_stdlib(name) or inside(name, ("barnstorm.model", "barnstorm.api", "barnstorm_pilot")):
                continue
            if not (inside(name, ("psutil",)) and node in tried):
                offences.append(f"{place(path, node)} imports {name}")
    assert offences == []


def newer_than_39(path: Path, tree: ast.Module) -> Iterator[str]:
    """Uses of what the standard library or the grammar got after Python 3.9, as far as a name or a keyword shows it."""
    for node, name in imports(path, ast.walk(tree)):
        module, _, last = name.rpartition(".")
        if {name, module} & NEWER_MODULES or last in NEWER_NAMES.get(module, ()):
            yield f"{place(path, node)} imports {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Match):
            yield f"{place(path, node)} uses match"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in NEWER_NAMES.get(node.value.id, ()):
                yield f"{place(path, node)} uses {node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for keyword in node.keywords:
                if keyword.arg in NEWER_KEYWORDS.get(called, ()):
                    yield f"{place(path, node)} calls {called}({keyword.arg}=…)"


def test_client_and_pilot_are_written_for_python_39() -> None:
    files = python_files(*PY39)
    assert files
    offences = []
    for path in files:
        try:
            tree = ast.parse(path.read_text(), feature_version=(3, 9))
        except SyntaxError as error:
            offences.append(f"{path.relative_to(ROOT)}:{error.lineno} {error.msg}")
        else:
            offences += newer_than_39(path, tree)
    assert offences == []


# Imports all that ships in the pilot, with no site-packages in reach, and prints what went wrong.
IMPORT_ALL = """
import importlib, pkgutil, sys
import barnstorm.model, barnstorm.api, barnstorm_pilot
for package in (barnstorm.model, barnstorm_pilot):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""


@pytest.mark.parametrize("python", ["python3.9", sys.executable])
def test_pilot_loads_from_the_standard_library_alone(python: str) -> None:
    path = [str(CLIENT), str(PILOT)]
    command = [python, "-I", "-S", "-B", "-c", f"import sys; sys.path[:0] = {path!r}\n{IMPORT_ALL}"]
    try:
        subprocess.run([python, "-V"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip(f"no {python} here")
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_no_file_is_too_long() -> None:
    files = python_files(ROOT)
    assert files
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


@pytest.mark.parametrize(
    ("source", "offence"),
    [
        ("from enum import StrEnum", "imports enum.StrEnum"),
        ("import enum\nclass A(enum.StrEnum): pass", "uses enum.StrEnum"),
        ("import tomllib", "imports tomllib"),
        ("from dataclasses import dataclass\n@dataclass(slots=True)\nclass A: pass", "calls dataclass(slots=…)"),
        ("import dataclasses\ndataclasses.field(kw_only=True)", "calls field(kw_only=…)"),
        ("match x:\n    case _: pass", "uses match"),
    ],
)
def test_the_check_sees_what_is_newer_than_39(source: str, offence: str) -> None:
    path = PILOT / "barnstorm_pilot" / "sample.py"
    assert [text.split(" ", 1)[1] for text in newer_than_39(path, ast.parse(source))] == [offence]


def test_relative_imports_get_their_full_names() -> None:
    path = MODEL / "sample.py"
    source = "from . import ids\nfrom .ids import JobId\nfrom ..api import Connection\nfrom os import path"
    names = [name for _, name in imports(path, ast.walk(ast.parse(source)))]
    assert names == ["barnstorm.model.ids", "barnstorm.model.ids.JobId", "barnstorm.api.Connection", "os.path"]
