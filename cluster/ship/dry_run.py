"""The shell steps of `inv --dry ship`: the same result, but whole images, one node at a time."""

from cluster.host import Host
from cluster.plan.steps import ShellStep
from cluster.ship.routes import ShipRoute
from cluster.words import shell_line


def steps(name: str, routes: tuple[ShipRoute, ...]) -> tuple[ShellStep, ...]:
    """Return the steps that ship an image to one node after the other."""
    return tuple(step for route in routes for step in _steps(name, route))


def _steps(name: str, route: ShipRoute) -> tuple[ShellStep, ...]:
    if route.is_local:
        return (ShellStep(place=route.node, title="Uses this machine's engine, nothing to copy"),)
    copy = f"{shell_line(('docker', 'save', name))} | {shell_line(route.ssh('docker', 'load'))}"
    hosts = (Host(name=route.node), route.host)
    source, node = (shell_line(host.layers(name)) for host in hosts)
    title = f"Ship {name} ({route.text}); `inv ship` sends only missing layers"
    return (
        ShellStep(place=route.node, title=title, text=copy),
        ShellStep(
            place=route.node,
            title="Check that it has the same layers",
            text=f'test "$({source})" = "$({node})"',
        ),
    )
