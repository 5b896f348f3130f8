"""Performs the steps of a plan that are about containers."""

from pathlib import Path

from cluster.containers import container
from cluster.containers.container import Found
from cluster.containers.inside import StartService, StopService
from cluster.containers.steps import (
    CheckContainers,
    CheckNodes,
    RemoveContainer,
    ShareToken,
    StartContainer,
)
from cluster.errors import Problem, RefusedError
from cluster.machine import files
from cluster.machine.terminal import Report
from cluster.node import Cluster
from cluster.plan.services import Services
from cluster.plan.starting import LOST_SECONDS, Starting


class ContainerSteps:
    """Performs steps, each unless what it is for is so already."""

    def __init__(self, cluster: Cluster, services: Services, report: Report) -> None:
        """Take the cluster that errors speak of, its services, and who hears of each step."""
        self._cluster = cluster
        self._services = services
        self._report = report
        self._starting = Starting(cluster, services, report)

    def admit(self, step: CheckContainers) -> None:
        """Refuse what stands in the way, of all nodes at once."""
        with self._report.step(step.place, step.title):
            found = self._services.containers.all_found(step)
        obstacles = (
            self._obstacle(start, its) for start, its in zip(step.starts, found, strict=True)
        )
        if problems := tuple(problem for problem in obstacles if problem):
            raise RefusedError(*problems)

    def contain(self, step: StartContainer) -> None:
        """Start a container, in place of one that is of no use any more."""
        found = self._services.containers.found(step)
        if found and found.running and not found.changes and self._starting.proved(step):
            self._starting.already(step)
            return
        if obstacle := self._obstacle(step, found):
            raise RefusedError(obstacle)
        with self._report.step(step.place, step.title):
            if found:
                self._services.containers.discard(step.trace, LOST_SECONDS)
            self._services.containers.contain(step)

    def launch(self, step: StartService) -> None:
        """Start a service inside a container."""
        if not self._starting.runs(step):
            with self._report.step(step.place, step.title):
                self._services.containers.launch(step)

    def share(self, step: ShareToken) -> None:
        """Take the token from who has it, or make one."""
        path = Path(step.path)
        if not path.exists() and (held := self._services.containers.secret(step)):
            files.keep_secret(step.path, held)
        files.ensure_secret(step.path)

    def examine(self, step: CheckNodes) -> None:
        """Refuse nodes that cannot work, all problems of all of them at once."""
        if all(self._services.find(trace) for trace in step.unless):
            return
        from cluster.checks import doctor

        with self._report.step(step.place, step.title):
            problems = doctor.blocking(self._cluster, step.engines)
        if problems:
            message, remedy = "nothing was started", "`--no-preflight` leaves these checks out"
            raise RefusedError(*problems, Problem(place=step.place, message=message, remedy=remedy))

    def halt(self, step: StopService) -> None:
        """End a service inside a container."""
        if self._services.find(step.trace):
            with self._report.step(step.place, step.title):
                self._services.containers.halt(step)

    def discard(self, step: RemoveContainer) -> None:
        """Stop and remove a container."""
        if self._services.started(step.trace):
            with self._report.step(step.place, step.title):
                self._services.containers.discard(step.trace, step.seconds)

    def _obstacle(self, step: StartContainer, found: Found | None) -> Problem | None:
        return container.obstacle(self._cluster, step.place, found, recreate=step.recreate)
