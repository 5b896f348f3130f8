"""What a shell does instead of `inv ship`: the same in the end, but whole images, one by one."""

from cluster.host import Host
from cluster.node import Node
from cluster.ship.route import SSH, Way, address
from cluster.words import shell_line


def script(name: str, nodes: tuple[Node, ...], ways: tuple[Way, ...]) -> str:
    """Return the shell text that ships the image to one node after the other."""
    there = {way.node: _lines(name, way) for way in ways}
    return "\n".join(there.get(node.name) or _nothing(node) for node in nodes)


def _nothing(node: Node) -> str:
    return f"# {node.name}: Has the engine of this machine, and so the image\n"


def _lines(name: str, way: Way) -> str:
    own = Host(name=way.node)
    here, there = (shell_line(engine.layers(name)) for engine in (own, way.engine))
    load = (*SSH, *address(way), way.engine.ssh_host, "docker", "load")
    return (
        f"# {way.node}: Ship {name} ({way.text}); `inv ship` leaves out what is there\n"
        f"{shell_line(('docker', 'save', name))} | {shell_line(load)}\n\n"
        f"# {way.node}: Check that it has the same layers\n"
        f'test "$({here})" = "$({there})"\n'
    )
