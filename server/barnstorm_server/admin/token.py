"""`barnstorm-server token`: a token for somebody, made by who can read the server's keys."""

import argparse
import sys
import time
from collections.abc import Sequence

from barnstorm.settingsfile import Loaded
from barnstorm_server.auth.bootstrap import user_name
from barnstorm_server.auth.errors import BadGrant
from barnstorm_server.auth.grants import GRANTED, Grant, check_sense
from barnstorm_server.auth.keys import KeyRing
from barnstorm_server.auth.tokens import TokenAuthority
from barnstorm_server.settings import Settings


def run(loaded: Loaded[Settings], arguments: Sequence[str]) -> int:
    """Print a token, and on stderr its id and end. It is in no list of tokens, but can be revoked by its id."""
    wanted = _parser(loaded.settings).parse_args(arguments)
    grant = Grant(wanted.kind, wanted.subject, wanted.ttl_s, wanted.group, wanted.queue, wanted.uses)
    try:
        check_sense(grant)
    except BadGrant as error:
        print(f"barnstorm-server token: {error}", file=sys.stderr)
        return 2
    authority = TokenAuthority(KeyRing.open(loaded.settings.data_dir), is_revoked=lambda jti: False)
    issued = authority.issue(
        grant.kind, grant.subject, grant.ttl_s, groups=grant.groups, queues=grant.queues, uses=grant.uses
    )
    end = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(issued.expires_at))
    print(f"{grant.kind} token {issued.jti} for {grant.subject}, good until {end}", file=sys.stderr)
    print(issued.token)
    return 0


def _parser(settings: Settings) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "barnstorm-server token",
        description="Print a token on stdout. Whoever can read the data directory's keys can make any token.",
    )
    parser.add_argument("--kind", choices=GRANTED, required=True)
    parser.add_argument("--subject", default=user_name(), help="whose it is (default: %(default)s)")
    parser.add_argument("--group", action="append", default=[], help="a group of the user; may be given again")
    parser.add_argument("--queue", action="append", default=[], help="a queue it is for; may be given again")
    life = settings.default_token_ttl_s
    parser.add_argument("--ttl-s", type=float, default=life, metavar="SECONDS", help="its life (default: %(default)s)")
    parser.add_argument("--uses", type=int, help="how many pilots a join token may bring in")
    return parser
