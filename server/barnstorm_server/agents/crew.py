"""The agents of a server, as one crew: started and stopped together, woken by what was committed."""

import logging
from typing import Any, TypeVar

from barnstorm_server.commands.release import ReleaseDue
from barnstorm_server.services import Services
from barnstorm_server.store.errors import Busy
from barnstorm_server.store.transaction import Committed
from barnstorm_server.store.writer import Command

from .brokerage import demand_now
from .loop import Agent
from .tasks import Rounds
from .watchdog import Watchdog

log = logging.getLogger("barnstorm.agents")

R = TypeVar("R")


class Crew:
    """Brokerage, work on tasks, the watchdog and housekeeping. One that fails is seen in `GET /healthz` and goes on."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._watchdog = Watchdog(services.dispatch)
        self._rounds = Rounds()
        self.agents = {
            "brokerage": Agent("brokerage", self._broker, every_s=5.0, at_most_s=0.05),
            "tasks": Agent("tasks", self._work_on_tasks, every_s=5.0),
            "watchdog": Agent("watchdog", self._watch, every_s=1.0),
            "housekeeping": Agent("housekeeping", self._keep_house, every_s=2.0),
        }
        services.listeners.append(self._committed)
        services.health.update({name: agent.health for name, agent in self.agents.items()})

    def start(self) -> None:
        for agent in self.agents.values():
            agent.start()
        self.agents["brokerage"].wake()
        self.agents["tasks"].wake()

    def stop(self) -> None:
        for agent in self.agents.values():
            agent.stop()

    def _committed(self, what: Committed) -> None:
        if what.demand:
            self.agents["brokerage"].wake()
        if what.tasks_to_work_on:
            self.agents["tasks"].wake()
        if what.workers_ended:
            self.agents["watchdog"].wake()

    def _broker(self) -> None:
        services = self._services
        with services.store.engine.connect() as connection:
            command = demand_now(connection, services.catalog.queues, services.store.now(connection))
        services.writer.do(command)

    def _work_on_tasks(self) -> None:
        more = True
        while more:
            with self._services.store.engine.connect() as connection:
                commands = list(self._rounds.slices(connection))
            answers = [self._slice(command) for command in commands]
            more = any(answers)

    def _slice(self, command: Any) -> bool:
        """Do one slice; whether there are more. One task's failure holds up no other."""
        try:
            return bool(self._services.writer.do(command))
        except Exception:
            log.exception("work on task %d failed", command.task)
            return False

    def _watch(self) -> None:
        with self._services.store.engine.connect() as connection:
            commands = self._watchdog.lost(connection, self._services.store.now(connection))
        for command in commands:
            ended = self._do(command)
            if ended is not None:
                log.warning("pilot p%d was ended: %s; it held %d attempts", command.pilot, command.why, ended)
        self._watchdog.rested()

    def _do(self, command: Command[R]) -> R | None:
        """A command's answer; None where it failed, so that it does not keep the others from their turn."""
        try:
            return self._services.writer.do(command)
        except Busy:
            raise
        except Exception:
            log.exception("%s failed; it is tried again in the next round", command)
            return None

    def _keep_house(self) -> None:
        self._services.writer.do(ReleaseDue(self._services.tasks))
        self._services.refresh()
