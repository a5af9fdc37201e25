"""Who may give which token."""

from dataclasses import replace

import pytest

from barnstorm_server.auth.errors import BadGrant, Denied
from barnstorm_server.auth.grants import MAX_TTL_S, Grant, check_grant
from barnstorm_server.auth.principal import Principal

NOW = 1_800_000_000.0
HOUR = 3600.0

OPERATOR = Principal("operator", "root", (), (), "j1", NOW + HOUR)
ADA = Principal("user", "ada", ("rubin", "lz"), (), "j2", NOW + HOUR)
SLAC = Principal("site", "SLAC", (), ("SLAC_A", "SLAC_B"), "j3", NOW + HOUR)

USER = Grant("user", "ada", HOUR)
HARVESTER = Grant("harvester", "SLAC.edge", HOUR, queues=("SLAC_A",))
JOIN = Grant("join", "w7", HOUR, queues=("SLAC_A",), uses=1)

ALLOWED = {
    "operator: operator": (OPERATOR, Grant("operator", "eve", HOUR)),
    "operator: longer than its own": (OPERATOR, replace(USER, ttl_s=MAX_TTL_S)),
    "operator: site": (OPERATOR, Grant("site", "BNL", HOUR, queues=("BNL",))),
    "operator: harvester of all queues": (OPERATOR, Grant("harvester", "local", HOUR)),
    "user: own": (ADA, USER),
    "user: fewer groups": (ADA, replace(USER, groups=("lz",))),
    "user: shorter": (ADA, replace(USER, ttl_s=1)),
    "site: harvester": (SLAC, HARVESTER),
    "site: harvester of its own name": (SLAC, replace(HARVESTER, subject="SLAC", queues=("SLAC_A", "SLAC_B"))),
    "site: join": (SLAC, JOIN),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_allowed(case: str) -> None:
    check_grant(*ALLOWED[case], NOW)


DENIED = {
    "user: operator": (ADA, Grant("operator", "ada", HOUR), "user tokens only"),
    "user: harvester": (ADA, Grant("harvester", "ada", HOUR), "user tokens only"),
    "user: somebody else": (ADA, replace(USER, subject="bob"), "to nobody else"),
    "user: more groups": (ADA, replace(USER, groups=("lz", "atlas")), "not in the groups atlas"),
    "user: longer": (ADA, replace(USER, ttl_s=HOUR + 60), "outlive"),
    "site: user": (SLAC, Grant("user", "SLAC", HOUR), "harvester and join"),
    "site: site": (SLAC, Grant("site", "SLAC", HOUR, queues=("SLAC_A",)), "harvester and join"),
    "site: others' queue": (SLAC, replace(JOIN, queues=("BNL",)), "not your queues: BNL"),
    "site: one of others": (SLAC, replace(HARVESTER, queues=("SLAC_A", "BNL")), "not your queues: BNL"),
    "site: all queues": (SLAC, replace(HARVESTER, queues=()), "names its queues"),
    "site: others' harvester": (SLAC, replace(HARVESTER, subject="usdf-edge"), "carry its name"),
    "site: a name that only begins so": (SLAC, replace(HARVESTER, subject="SLACK"), "carry its name"),
    "site: longer": (SLAC, replace(JOIN, ttl_s=2 * HOUR), "outlive"),
    "harvester": (Principal("harvester", "local", (), (), "j4", NOW + HOUR), JOIN, "gives no tokens"),
    "pilot": (Principal("pilot", "p1", (), ("Q",), "j5", NOW + HOUR, 1), USER, "gives no tokens"),
    "join": (Principal("join", "w1", (), ("Q",), "j6", NOW + HOUR), JOIN, "gives no tokens"),
}


@pytest.mark.parametrize("case", DENIED)
def test_denied(case: str) -> None:
    by, grant, why = DENIED[case]
    with pytest.raises(Denied, match=why):
        check_grant(by, grant, NOW)


SENSELESS = {
    "pilot": ("kind", Grant("pilot", "p1", HOUR)),
    "no subject": ("subject", replace(USER, subject="")),
    "a control character": ("subject", replace(USER, subject="a\nb")),
    "a long subject": ("subject", replace(USER, subject="a" * 201)),
    "no time": ("ttl_s", replace(USER, ttl_s=0)),
    "a time below nothing": ("ttl_s", replace(USER, ttl_s=-1)),
    "no number": ("ttl_s", replace(USER, ttl_s=float("nan"))),
    "for ever": ("ttl_s", replace(USER, ttl_s=float("inf"))),
    "a site of no queue": ("queues", Grant("site", "BNL", HOUR)),
    "a join token of no queue": ("queues", Grant("join", "w1", HOUR)),
    "a join token of two queues": ("queues", replace(JOIN, queues=("A", "B"))),
    "a user with queues": ("queues", replace(USER, queues=("A",))),
    "a harvester with groups": ("groups", replace(HARVESTER, groups=("lz",))),
    "a user with uses": ("uses", replace(USER, uses=1)),
    "no uses": ("uses", replace(JOIN, uses=0)),
}


@pytest.mark.parametrize("case", SENSELESS)
def test_senseless_even_for_operators(case: str) -> None:
    field, grant = SENSELESS[case]
    with pytest.raises(BadGrant) as caught:
        check_grant(OPERATOR, grant, NOW)
    assert caught.value.field == field
