"""Whether a service that should be started runs already, and as it should."""

from cluster.containers.inside import StartService
from cluster.containers.steps import StartContainer
from cluster.errors import Problem, RefusedError
from cluster.machine.terminal import Report
from cluster.namespaces.steps import StartProcess
from cluster.node import Cluster
from cluster.plan.services import Services

LOST_SECONDS = 5.0
"""For ending a service that is of no use to anybody."""


class Starting:
    """Looks at what runs before anything is started."""

    def __init__(self, cluster: Cluster, services: Services, report: Report) -> None:
        """Take the cluster that errors speak of, its services, and who hears of what runs."""
        self._cluster = cluster
        self._services = services
        self._report = report

    def runs(self, step: StartProcess | StartService) -> bool:
        """Tell whether a service runs as it should; a RefusedError when it runs otherwise."""
        found = self._services.find(step.trace)
        if found and found.digest != step.spec.digest:
            message = f"{step.spec.service} runs with other settings than these"
            remedy = f"{self._cluster.inv('down', *_part(step))} first"
            raise RefusedError(Problem(place=step.place, message=message, remedy=remedy))
        return found is not None and self.proved(step) and self.already(step)

    def proved(self, step: StartProcess | StartContainer | StartService) -> bool:
        """Tell whether a service that runs is also what the others take it for."""
        proof = None if isinstance(step, StartService) else step.proof
        return proof is None or not proof.problems(self._services.ask(proof.ask).output)

    def already(self, step: StartProcess | StartContainer | StartService) -> bool:
        """Say that there is nothing to be done."""
        self._report.note(f"{step.place}: {step.title}: already running")
        return True


def _part(step: StartProcess | StartService) -> tuple[str, ...]:
    return ("--server",) if step.spec.service == "serve" else ()
