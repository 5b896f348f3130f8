"""Commands that run in containers to their end, and the making of containers."""

from typing import TYPE_CHECKING

from cluster.containers import container
from cluster.containers.container import Container
from cluster.containers.inside import ExecCommand, RunOnce
from cluster.machine.processes import Completed, values

if TYPE_CHECKING:
    from docker import APIClient

ABSENT = (404, 409)
"""HTTP statuses of the Engine API: no such container, and one that does not run."""


def run_inside(api: "APIClient", ask: ExecCommand) -> Completed:
    """Run a command in a running container; one that does not run gives code 125."""
    from docker.errors import APIError

    try:
        made = api.exec_create(ask.container, list(ask.argv), environment=values(ask.environment))[
            "Id"
        ]
    except APIError as error:
        if error.status_code in ABSENT:
            return Completed(code=125, output="", error=f"{ask.container} does not run")
        raise
    output, said = api.exec_start(made, demux=True)
    code = api.exec_inspect(made)["ExitCode"]
    return Completed(code=code, output=_decoded(output), error=_decoded(said))


def run_once(api: "APIClient", ask: RunOnce, home: str) -> Completed:
    """Run a command in a container of its own; one that cannot start says why as its output."""
    from docker.errors import APIError

    created = ""
    try:
        created = create(api, ask.container, home)
        api.start(created)
        code = api.wait(created)["StatusCode"]
        output, said = api.logs(created, stderr=False), api.logs(created, stdout=False)
    except APIError as error:
        return Completed(code=125, output=str(error.explanation), error="")
    finally:
        if created:
            api.remove_container(created, force=True)
    return Completed(code=code, output=_decoded(output), error=_decoded(said))


def create(api: "APIClient", spec: Container, home: str) -> str:
    """Make a container, which does not run yet; return its ID."""
    body = container.body(spec, values(spec.environment), home)
    return str(api.create_container_from_config(body, spec.name or None)["Id"])


def _decoded(output: bytes | None) -> str:
    return (output or b"").decode("utf-8", errors="replace")
