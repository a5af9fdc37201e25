"""Lists of the nouns that operators look after: workers, pilots, harvesters, tokens."""

from typing import Any, Optional

import click

from . import options
from .tables import Listing


def list_things(
    noun: str,
    listing: Listing,
    queue: Optional[str],
    state: Optional[str],
    limit: Optional[int],
    form: str,
    watch: bool,
) -> None:
    """Fetch and print a list of `noun`, filtered by queue and state where it has them."""
    from .filters import states_of
    from .session import people
    from .task import show_or_watch

    if state and state != "live":
        found = states_of(noun, state)
        if len(found) > 1:
            raise click.BadParameter("one state, or live", param_hint="--state")
    api = people()

    def fetch() -> list[dict[str, Any]]:
        filters = options.given(queue=queue, state=state)
        return list(api.things(f"{noun}s", limit=options.limit_of(limit, form), **filters))

    show_or_watch(fetch, listing, form, watch)
