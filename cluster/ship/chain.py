"""One stream into one node or a chain of them: its command, and what the nodes report."""

import re
import shlex
from dataclasses import dataclass

from cluster import scripts
from cluster.ship.routes import HOP_SSH, ShipRoute

MARK = "spark-vllm-cluster.load"
LOST = 255
"""The exit code of ssh when there is no connection (ssh(1)); `docker load` has no such code."""
REPORT = re.compile(
    rf"{re.escape(MARK)} ([0-9]{{1,4}}) (output|connection|ended(?= [0-9]{{1,3}}\Z)) (.*)"
)
CONTINUED = re.compile(r"(?:[;&|{(]|\b(?:do|then|else|in))$")
"""The end of a line after which a shell expects more, so that no `;` may follow."""


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """How `docker load` ended on a node."""

    node: str
    code: int
    """Its exit code; `LOST` for a node that has not reported an end."""
    output: str
    """What it printed; for a lost node, what ssh printed about it, or a shell there."""


def load(routes: tuple[ShipRoute, ...], *, compress: bool) -> tuple[str, ...]:
    """Return the command that loads its input on all these nodes; it prints what `reports` reads.

    The stream goes to the first node, and from each to the next.
    """
    hops = (route.hop.word for route in routes[1:])
    line = shlex.join(("sh", "-c", 'eval "$0"', script(compress=compress), "1", *hops))
    return routes[0].ssh(line)


def probe(route: ShipRoute, following: ShipRoute) -> tuple[str, ...]:
    """Return the command that succeeds if a node reaches the next one."""
    return route.ssh(shlex.join((*following.hop.ssh, "true")))


def script(*, compress: bool) -> str:
    """Return the shell program of each node as one line (`chain.sh` has the reasons)."""
    command = "zstd -dcq | docker load" if compress else "docker load"
    line = one_line(scripts.program("cluster.ship", "chain.sh"))
    return f'LOAD="{command}"; MARK={MARK}; SSH="{shlex.join(HOP_SSH)}"; {line}'


def one_line(program: str) -> str:
    """Return a shell program without comments, its lines joined to one.

    The space before each `;` keeps C shells from their history, which begins with `!`.
    """
    lines = (line.strip() for line in program.splitlines())
    code = [line for line in lines if line and not line.startswith("#")]
    return " ".join(line if CONTINUED.search(line) else f"{line} ;" for line in code)


def reports(output: str, routes: tuple[ShipRoute, ...]) -> dict[str, LoadReport]:
    """Return how the load ended on each node of a chain.

    `output` is all that the command of `load` wrote, errors included. Nothing is known about a node
    that is cut off from those before it.
    """
    lines: dict[tuple[int, str], list[str]] = {}
    for line in output.split("\n"):
        match = REPORT.fullmatch(line)
        number, kind, text = match.groups() if match else ("1", "connection", line)
        lines.setdefault((int(number), kind), []).append(text)
    return {route.node: _report(route.node, n, lines) for n, route in enumerate(routes, 1)}


def _report(node: str, number: int, lines: dict[tuple[int, str], list[str]]) -> LoadReport:
    codes = lines.get((number, "ended"))
    output = "\n".join(lines.get((number, "output" if codes else "connection"), [])).strip()
    return LoadReport(node=node, code=int(codes[0]) if codes else LOST, output=output)
