"""The one table of who may call what: a route without a line here fails the build (`tests/unit/server/test_policy.py`).

A policy gives each kind of principal that may call a route its scope: which of the route's things are theirs. `check`
does what the path alone decides; a handler does the rest of the scope that `check` returns:

`any`          nothing further to check
`own`          what the caller or a group of theirs owns; of tokens: those of their own subject
`own_queue`    things of the token's queues; where the path names the queue, `check` has done it. A harvester's token
               without queues is for all of them; a site's or a join token always names its own
`own_name`     the harvester of the token's own name: done by `check`
`own_pilot`    the pilot that the token is bound to: done by `check`
`own_attempt`  what the attempt named by path or query needs or writes; the token's pilot must hold that attempt
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from .errors import Denied, Unauthenticated
from .principal import Kind, Principal

Scope = Literal["any", "own", "own_queue", "own_name", "own_pilot", "own_attempt"]


@dataclass(frozen=True)
class Policy:
    """Who may call a route. `public`: everyone, without a token."""

    scopes: Mapping[Kind, Scope]
    public: bool = False

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(self.scopes)


def _to(**scopes: Scope) -> Policy:
    return Policy({**scopes})  # type: ignore[dict-item]


_PUBLIC = Policy({}, public=True)
_OWN = _to(user="own", operator="any")  # a user's things: their own and their groups'; operators act on everyone's
_SEEN = _to(user="any", operator="any", site="any")  # queues and what runs in them hide from nobody who is known
_QUEUE_SEEN = _to(user="any", operator="any", site="any", harvester="own_queue")
_QUEUE_SET = _to(operator="any", site="own_queue")
_TOKENS = _to(user="own", operator="any", site="own")
_BYTES = _to(user="own", operator="any", pilot="own_attempt")
_HARVESTER = _to(harvester="own_name")
_PILOT = _to(pilot="own_pilot")

POLICIES: dict[tuple[str, str], Policy] = {
    ("GET", "/healthz"): _PUBLIC,
    ("GET", "/docs"): _PUBLIC,
    ("GET", "/openapi.json"): _PUBLIC,
    ("GET", "/v1"): _PUBLIC,
    ("GET", "/v1/whoami"): _to(user="any", operator="any", site="any", harvester="any", pilot="any"),
    # People
    ("POST", "/v1/tasks"): _OWN,
    ("GET", "/v1/tasks"): _OWN,
    ("GET", "/v1/tasks/{task}"): _OWN,
    ("GET", "/v1/tasks/{task}/jobs"): _OWN,
    ("GET", "/v1/tasks/{task}/explain"): _OWN,
    ("GET", "/v1/tasks/{task}/outputs"): _BYTES,
    ("POST", "/v1/tasks/{task}/retry"): _OWN,
    ("GET", "/v1/jobs"): _OWN,
    ("GET", "/v1/jobs/{job}"): _OWN,
    ("GET", "/v1/jobs/{job}/explain"): _OWN,
    ("GET", "/v1/jobs/{job}/log"): _OWN,
    ("GET", "/v1/jobs/{job}/outputs/{name:path}"): _OWN,
    ("POST", "/v1/kill"): _OWN,
    ("GET", "/v1/events"): _OWN,
    ("PUT", "/v1/blobs/{digest}"): _BYTES,
    ("HEAD", "/v1/blobs/{digest}"): _BYTES,
    ("GET", "/v1/blobs/{digest}"): _BYTES,
    # Queues
    ("GET", "/v1/queue.schema.json"): _to(user="any", operator="any", site="any", harvester="any"),
    ("GET", "/v1/queues"): _SEEN,
    ("GET", "/v1/queues/{queue}"): _QUEUE_SEEN,
    ("PUT", "/v1/queues/{queue}"): _QUEUE_SET,
    ("GET", "/v1/queues/{queue}/explain"): _SEEN,
    ("GET", "/v1/queues/{queue}/decisions"): _SEEN,
    ("POST", "/v1/queues/{queue}/marks"): _QUEUE_SET,
    ("DELETE", "/v1/queues/{queue}/marks/{mark}"): _QUEUE_SET,
    # Tokens
    ("GET", "/v1/tokens"): _TOKENS,
    ("POST", "/v1/tokens"): _TOKENS,
    ("DELETE", "/v1/tokens/{jti}"): _TOKENS,
    # What runs
    ("GET", "/v1/workers"): _SEEN,
    ("GET", "/v1/workers/{worker}"): _SEEN,
    ("POST", "/v1/workers/{worker}/kill"): _QUEUE_SET,
    ("GET", "/v1/pilots"): _SEEN,
    ("GET", "/v1/pilots/{pilot}"): _SEEN,
    ("GET", "/v1/harvesters"): _SEEN,
    ("GET", "/v1/harvesters/{name}"): _SEEN,
    # Harvesters
    ("POST", "/v1/harvesters/{name}/heartbeat"): _HARVESTER,
    ("POST", "/v1/harvesters/{name}/workers"): _HARVESTER,
    ("GET", "/v1/harvesters/{name}/workers"): _to(operator="any", harvester="own_name"),
    ("GET", "/v1/queues/{queue}/demand"): _QUEUE_SEEN,
    ("POST", "/v1/queues/{queue}/workers"): _to(harvester="own_queue"),
    # Pilots
    ("POST", "/v1/pilots"): _to(join="own_queue"),
    ("POST", "/v1/pilots/{pilot}/lease"): _PILOT,
    ("POST", "/v1/pilots/{pilot}/heartbeat"): _PILOT,
    ("PUT", "/v1/jobs/{job}/attempts/{number}/log/{stream}"): _to(pilot="own_attempt"),
}


def check(principal: Principal | None, method: str, path_template: str, path_params: Mapping[str, str]) -> Scope:
    """Whether the caller may ask this at all; returns the scope, whose rest is the handler's to check.

    Raises Unauthenticated without a token where one is needed, Denied where the token is not for this, and KeyError for
    a route that the table does not name.
    """
    policy = POLICIES.get((method, path_template))
    if policy is None and method == "HEAD":
        policy = POLICIES.get(("GET", path_template))
    if policy is None:
        raise KeyError(f"{method} {path_template} has no policy")
    if policy.public:
        return "any"
    if principal is None:
        raise Unauthenticated("this needs a token: jobctl login, or the header Authorization: Bearer TOKEN")
    scope = policy.scopes.get(principal.kind)
    if scope is None:
        wanted = " or ".join(policy.kinds)
        raise Denied(f"a {principal.kind} token is not for this: it takes one of kind {wanted}", list(policy.kinds))
    _check_scope(principal, scope, path_params)
    return scope


def _check_scope(principal: Principal, scope: Scope, params: Mapping[str, str]) -> None:
    if scope == "own_queue" and "queue" in params:
        check_queue(principal, params["queue"])
    elif scope == "own_name" and params["name"] != principal.subject:
        raise Denied(f"this token is harvester {principal.subject}'s", [principal.subject], (params["name"],))
    elif scope == "own_pilot" and (principal.pilot is None or params["pilot"] != f"p{principal.pilot}"):
        raise Denied("this token is another pilot's", None, (params["pilot"],))


def check_queue(principal: Principal, queue: str) -> None:
    """Raises Denied for a queue that the token is not for. One without queues is for all, but a site's names them."""
    if queue in principal.queues or (not principal.queues and principal.kind not in ("site", "join", "pilot")):
        return
    raise Denied(f"this token is not for queue {queue}", list(principal.queues), (queue,))


def may_touch(principal: Principal, owner: str, group: str | None) -> bool:
    """The scope `own` of tasks and what belongs to them: one's own and one's groups'; an operator's are all."""
    if principal.kind == "operator":
        return True
    return principal.kind == "user" and (owner == principal.subject or bool(group and group in principal.groups))
