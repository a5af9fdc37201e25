"""What all queues' loops have in common."""

from collections.abc import Callable
from dataclasses import dataclass

from barnstorm.api.harvester import HarvesterApi

from .plugins import Plugins
from .settings import Settings
from .store import Store


@dataclass(frozen=True)
class Shared:
    """`news` is called when there is something that the server should hear soon; it returns at once."""

    api: HarvesterApi
    store: Store
    settings: Settings
    plugins: Plugins
    news: Callable[[], None]
