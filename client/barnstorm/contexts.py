"""Which server, as whom: named contexts in one private file, and the environment that overrides them.

The file is `$BARNSTORM_CONFIG`, else `$XDG_CONFIG_HOME/barnstorm/contexts.json`. BARNSTORM_CONTEXT names another
context than the current one; BARNSTORM_SERVER and BARNSTORM_TOKEN_FILE stand before both. A token stored for one server
is never sent to another one.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Optional


class ContextError(Exception):
    """No context, or a file that cannot be used; the message says what to do."""


@dataclass(frozen=True)
class Context:
    """A server, the token for it, and a file of certificates where its own are not known to the system."""

    name: str
    server: str
    token: str = ""
    ca_file: str = ""


@dataclass
class Contexts:
    """All contexts of a user. `current` is empty or the name of one of them."""

    path: Path
    current: str = ""
    known: dict[str, Context] = field(default_factory=dict)

    def put(self, context: Context, use: bool = True) -> None:
        """Add or replace a context, and make it the current one."""
        self.known[context.name] = context
        if use:
            self.current = context.name

    def remove(self, name: str) -> None:
        self.named(name)
        del self.known[name]
        if self.current == name:
            self.current = ""

    def named(self, name: str) -> Context:
        """A context by its name; raises ContextError with the names there are."""
        if name not in self.known:
            names = ", ".join(sorted(self.known)) or "none yet: jobctl login --server URL"
            raise ContextError(f"context {name!r} is not known in {self.path}; there are: {names}")
        return self.known[name]

    def save(self) -> None:
        """Write the file in one step, readable by its owner only."""
        contexts: dict[str, dict[str, str]] = {}
        for name, one in sorted(self.known.items()):
            contexts[name] = {"server": one.server, "token": one.token}
            if one.ca_file:
                contexts[name]["ca_file"] = one.ca_file
        text = json.dumps({"version": 1, "current": self.current, "contexts": contexts}, indent=2) + "\n"
        write_private(self.path, text)


def path_of(environ: Optional[Mapping[str, str]] = None) -> Path:
    """Where the contexts are kept."""
    env = os.environ if environ is None else environ
    if env.get("BARNSTORM_CONFIG"):
        return Path(env["BARNSTORM_CONFIG"]).expanduser()
    if env.get("XDG_CONFIG_HOME"):
        folder = Path(env["XDG_CONFIG_HOME"])
    elif os.name == "nt" and env.get("APPDATA"):
        folder = Path(env["APPDATA"])
    else:
        folder = Path.home() / ".config"
    return folder / "barnstorm" / "contexts.json"


def load(path: Optional[Path] = None) -> Contexts:
    """Read the file; one that is not there has no contexts. Raises ContextError."""
    path = path or path_of()
    try:
        with open(path, encoding="utf-8") as file:
            if os.name == "posix" and os.fstat(file.fileno()).st_mode & 0o077:
                raise ContextError(f"{path} holds tokens but others may read it; run: chmod 600 {path}")
            document = json.load(file)
        known = {name: _context(name, one) for name, one in document["contexts"].items()}
        return Contexts(path, str(document.get("current", "")), known)
    except FileNotFoundError:
        return Contexts(path)
    except OSError as error:
        raise ContextError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContextError(f"{path} is damaged ({error}); move it away and log in again") from error


def resolve(name: str = "", environ: Optional[Mapping[str, str]] = None) -> Context:
    """The context to use now: the named or current one under the environment's words. Raises ContextError."""
    env = os.environ if environ is None else environ
    contexts = load(path_of(env))
    server, token_file = env.get("BARNSTORM_SERVER", ""), env.get("BARNSTORM_TOKEN_FILE", "")
    name = name or env.get("BARNSTORM_CONTEXT", "")
    if name:
        base: Optional[Context] = contexts.named(name)
    else:
        base = contexts.known.get(contexts.current)
    if server and (base is None or not same_server(base.server, server)):
        same = [one for one in contexts.known.values() if same_server(one.server, server)]
        base = same[0] if same and not name else Context(name or "environment", server)
    if base is None:
        raise ContextError("not logged in: jobctl login --server URL, or jobctl up for a system on this machine")
    if token_file:
        base = replace(base, token=read_token(token_file))
    return base


def same_server(one: str, other: str) -> bool:
    return one.rstrip("/").lower() == other.rstrip("/").lower()


def read_token(file: str) -> str:
    """The token in a file: its one line. Raises ContextError."""
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ContextError(f"cannot read the token file {file}: {getattr(error, 'strerror', None) or error}") from error
    return checked_token(text, file)


def checked_token(text: str, where: str) -> str:
    """`text` without its blanks, if it can be a token at all. Raises ContextError."""
    text = text.strip()
    if not text or not text.isascii() or any(sign.isspace() for sign in text):
        raise ContextError(f"{where} holds no token: a token is one line without blanks")
    return text


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise ContextError(f"cannot write {path}: {error.strerror}") from error


def _context(name: str, one: Any) -> Context:
    return Context(name, str(one["server"]), str(one.get("token", "")), str(one.get("ca_file", "")))
