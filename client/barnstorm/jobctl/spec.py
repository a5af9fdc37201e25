"""From the options of `submit` to a task document; files that must be uploaded first stand in it as a local path."""

import csv
import glob
import io
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

import click

Document = dict[str, Any]
NOT_YET = "blob:" + "0" * 64
MAX_SCRIPT = 1_000_000


@dataclass
class Draft:
    """A task document, and the local file behind each of its FileIn objects whose source is not known yet."""

    document: Document
    uploads: list[tuple[Document, Path]] = field(default_factory=list)

    def file(self, text: str, named: bool = True) -> Document:
        """A FileIn for `PATH[:name]`, `site:/path[:name]` or `task:N[/name]`."""
        if text.startswith("task:"):
            return {"source": text}
        if text.startswith(("site:", "blob:")):
            source, name = _split_name(text[5:]) if named else (text[5:], "")
            return _file_in(text[:5] + source, name)
        path, name = (text, "") if not named or os.path.exists(text) else _split_name(text)
        _must_be_file(path)
        found = _file_in(NOT_YET, name or Path(path).name)
        if os.access(path, os.X_OK) and os.name == "posix":
            found["executable"] = True
        self.uploads.append((found, Path(path)))
        return found


def draft(options: dict[str, Any], base: Optional[Document] = None) -> Draft:
    """The task that the options ask for, laid over the document of a task file. Raises click.UsageError."""
    made = Draft(dict(base or {}))
    document = made.document
    payload = payload_of(options["words"], options["is_command"])
    if payload is not None:
        document["payload"] = payload
    if "payload" not in document:
        raise click.UsageError("nothing to run: write a command after --, a script's name, or --task-file FILE")
    over = collection(options, made)
    if over is not None:
        document["over"] = over
    for key in ("name", "priority", "group", "retries"):
        if options.get(key) is not None:
            document[key] = options[key]
    if "name" not in document and payload is not None and payload["kind"] == "script":
        document["name"] = payload["name"]
    _merge(document, "needs", needs_of(options))
    _merge(document, "env", dict(options["env"]))
    _merge(document, "labels", labels_of(options))
    _extend(document, "inputs", [made.file(text) for text in options["inputs"]])
    _extend(document, "outputs", [output(text) for text in options["outputs"]])
    for key in ("queues", "sites"):
        _extend(document, key, [one for text in options[key] for one in text.split(",") if one])
    _extend(document, "after", _after(options["after"], document.get("after", [])))
    return made


def payload_of(words: tuple[str, ...], is_command: bool) -> Optional[Document]:
    """A command, or the script that the first word names."""
    if not words:
        if is_command:
            raise click.UsageError("there is no command after --")
        return None
    if is_command:
        return {"kind": "command", "argv": list(words)}
    path = Path(words[0])
    if not path.is_file():
        command = " ".join(words[:3]) + (" …" if len(words) > 3 else "")
        raise click.UsageError(f"there is no file {words[0]!r}; for a command write: jobctl submit -- {command}")
    octets = path.read_bytes()
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text or len(octets) > MAX_SCRIPT:
        what = f"over {MAX_SCRIPT:,} bytes" if len(octets) > MAX_SCRIPT else "no text"
        hint = f"jobctl submit --input {words[0]} -- ./{path.name}"
        raise click.UsageError(f"{words[0]} is {what}, so it is no script; send it along as a file: {hint}")
    name = re.sub(r"[^A-Za-z0-9._-]", "_", path.name)[:100]
    return {"kind": "script", "text": text, "args": list(words[1:]), "name": name}


def collection(options: dict[str, Any], made: Draft) -> Optional[Document]:
    """What the task is applied to; at most one of the four kinds."""
    asked = [key for key in ("array", "params", "seeds", "files") if options[key]]
    if len(asked) > 1:
        raise click.UsageError(
            "one of --array, --params, --seeds and --files, not " + " and ".join(f"--{key}" for key in asked)
        )
    if options["seed_base"] is not None and not options["seeds"]:
        raise click.UsageError("--seed-base goes with --seeds")
    if options["array"]:
        return {"kind": "numbers", "ranges": options["array"]}
    if options["params"]:
        return rows(options["params"])
    if options["seeds"]:
        found = {"kind": "seeds", "count": options["seeds"]}
        if options["seed_base"] is not None:
            found["base"] = options["seed_base"]
        return found
    if options["files"]:
        return {"kind": "files", "files": [made.file(one, named=False) for one in expanded(options["files"])]}
    return None


def expanded(patterns: tuple[str, ...]) -> list[str]:
    """File names; quoted patterns such as 'data/*.root' become the files they match, sorted."""
    found: list[str] = []
    for pattern in patterns:
        if pattern.startswith(("site:", "blob:", "task:")) or os.path.exists(pattern) or not glob.has_magic(pattern):
            found.append(pattern)
            continue
        matches = sorted(glob.glob(pattern))
        if not matches:
            raise click.UsageError(f"--files: nothing matches {pattern!r}")
        found += matches
    return found


def rows(file: str) -> Document:
    """A table's rows: its first line names the columns; every value stays the text it is. `.tsv` is split at tabs."""
    if file != "-":
        _must_be_file(file)
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_bytes().decode("utf-8-sig")
        lines = [row for row in csv.reader(io.StringIO(text), delimiter="\t" if file.endswith(".tsv") else ",") if row]
    except (csv.Error, UnicodeDecodeError) as error:
        raise click.UsageError(f"--params: {file}: {error}") from error
    if len(lines) < 2:
        raise click.UsageError(f"--params: {file} needs a line of column names and at least one row")
    columns = [name.strip() for name in lines[0]]
    for number, row in enumerate(lines[1:], 2):
        if len(row) != len(columns):
            raise click.UsageError(f"--params: {file}: row {number} has {len(row)} values for {len(columns)} columns")
    if len(set(columns)) != len(columns):
        raise click.UsageError(f"--params: {file}: two columns have the same name")
    return {"kind": "rows", "columns": columns, "rows": [[value.strip() for value in row] for row in lines[1:]]}


def needs_of(options: dict[str, Any]) -> Document:
    keys = {
        "cores": "cores",
        "memory": "memory_mib",
        "walltime": "walltime_s",
        "disk": "disk_mib",
        "gpus": "gpus",
        "arch": "arch",
    }
    found = {name: options[key] for key, name in keys.items() if options[key] is not None}
    tags = [one for text in options["tags"] for one in text.split(",") if one]
    if tags:
        found["tags"] = tags
    return found


def labels_of(options: dict[str, Any]) -> dict[str, str]:
    labels = dict(options["labels"])
    if options["campaign"]:
        labels["campaign"] = options["campaign"]
    return labels


def output(text: str) -> Document:
    """`NAME`, or `NAME?` for one that may be absent."""
    if text.endswith("?"):
        return {"name": text[:-1], "optional": True}
    return {"name": text}


def sources(document: Document) -> list[int]:
    """The tasks whose outputs are inputs of this one, without those it waits for already."""
    from ..model.ids import parse_task

    found = []
    for one in document.get("inputs", []):
        source = one.get("source", "") if isinstance(one, dict) else ""
        if source.startswith("task:"):
            found.append(parse_task(source[5:].partition("/")[0]))
    return [task for task in dict.fromkeys(found) if task not in document.get("after", [])]


def _after(asked: tuple[str, ...], already: list[int]) -> list[int]:
    from ..model.ids import parse_task

    found = [parse_task(one) for text in asked for one in text.split(",") if one]
    return [task for task in dict.fromkeys(found) if task not in already]


def _split_name(text: str) -> tuple[str, str]:
    path, sign, name = text.rpartition(":")
    if not sign or not path or (os.name == "nt" and len(path) == 1):
        return text, ""
    return path, name


def _file_in(source: str, name: str) -> Document:
    return {"source": source, "name": name} if name else {"source": source}


def _must_be_file(path: str) -> None:
    if os.path.isdir(path):
        raise click.UsageError(f"{path} is a directory; pack it first: tar cf {Path(path).name or 'files'}.tar {path}")
    if not os.path.isfile(path):
        raise click.UsageError(f"there is no file {path!r}; for one already at the site write site:/path")


def _merge(document: Document, key: str, more: Document) -> None:
    if more:
        document[key] = {**document.get(key, {}), **more}


def _extend(document: Document, key: str, more: list[Any]) -> None:
    if more:
        document[key] = [*document.get(key, []), *more]
