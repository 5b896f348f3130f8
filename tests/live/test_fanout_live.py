"""One stream into a chain of nodes, with real engines: each node's image, whatever fails."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path

import pytest

from cluster.host import Host
from cluster.ship import chain
from cluster.ship.chain import LOST, LoadReport
from cluster.ship.routes import Hop, ShipRoute
from tests.live import hosts
from tests.live.damage import stalled, unplugged
from tests.live.hosts import Lan
from tests.live.machine import Machine
from tests.live.ships import MEGA, build, wait_until

pytestmark = pytest.mark.live

NAMES = ("spark1", "spark2", "spark3", "spark4")
SIZE = 20 * MEGA
COMMANDS = "for it in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$it; echo; done 2>/dev/null"
OF_A_CHAIN = ("docker load", "ssh -T", "tee -p")


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Hosts, and the archive of an image that the first one has built."""

    lan: Lan
    image: str
    archive: Path

    @property
    def nodes(self) -> tuple[Machine, ...]:
        """The hosts of the chain."""
        return self.lan.hosts[1:]

    @property
    def routes(self) -> tuple[ShipRoute, ...]:
        """The routes to the nodes."""
        return tuple(
            ShipRoute(
                host=Host(name=node.name, ssh_host=node.name),
                hop=Hop(address=node.address, user="root"),
            )
            for node in self.nodes
        )

    @property
    def command(self) -> list[str]:
        """The command of the chain."""
        return list(chain.load(self.routes, compress=False))

    def load(self) -> list[LoadReport]:
        """Load the whole archive; return the reports of the nodes."""
        script = 'exec "$@" <"$0" 2>&1'
        done = self.lan.hosts[0].run(["sh", "-c", script, self.archive, *self.command])
        return list(chain.reports(done.stdout, self.routes).values())

    @contextmanager
    def started(self, command: list[str], sent: int) -> Iterator[None]:
        """Start the chain and send it so many bytes of the archive; kill it after the block."""
        with self.lan.hosts[0].start(command) as process:
            try:
                assert isinstance(process.stdin, TextIOWrapper)
                process.stdin.buffer.write(self.archive.read_bytes()[:sent])
                process.stdin.buffer.flush()
                wait_until(lambda: all(self.is_unpacking(node) for node in self.nodes))
                yield
            finally:
                kill(process)

    def is_unpacking(self, node: Machine) -> bool:
        """Whether the engine of a node is unpacking an archive."""
        return any((node.folder / "engine/data/tmp").iterdir())

    @property
    def is_idle(self) -> bool:
        """Whether no program of a chain runs on a node, and no file of it is kept."""
        commands = "\n".join(node.run(["sh", "-c", COMMANDS]).stdout for node in self.nodes)
        runs = any(line.startswith(OF_A_CHAIN) for line in commands.split("\n"))
        return not runs and not any(self.is_unpacking(node) for node in self.nodes)

    @property
    def images(self) -> list[str]:
        """The ID of the image on each node, or an empty text."""
        return [node.docker("image", "ls", "--quiet", "--no-trunc") for node in self.nodes]

    def loaded(self, node: str) -> LoadReport:
        """Return the report of a node that has loaded the image."""
        return LoadReport(node=node, code=0, output=f"Loaded image ID: {self.image}")


@pytest.fixture(scope="module")
def four_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Four hosts."""
    with hosts.made(tmp_path_factory.mktemp("lan"), NAMES) as lan:
        first = lan.hosts[0]
        image = build(first, "chain:1", SIZE)
        archive = first.folder / "archive"
        first.docker("save", "--output", str(archive), image)
        yield Fleet(lan=lan, image=image, archive=archive)


@pytest.fixture
def fleet(four_hosts: Fleet) -> Iterator[Fleet]:
    """Four hosts, of which the last three have no image."""
    yield four_hosts
    for node in four_hosts.nodes:
        node.docker("image", "prune", "--all", "--force")


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill the program that was started on a host, if it runs; `process` is its parent."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for child in children.read_text("utf-8").split():
        os.kill(int(child), signal.SIGKILL)


def test_one_stream(fleet: Fleet) -> None:
    """Three nodes get the image, and the first machine sends it once."""
    before = fleet.lan.hosts[0].interface_bytes()[1]
    reports = fleet.load()
    sent = fleet.lan.hosts[0].interface_bytes()[1] - before

    assert [fleet.loaded(name) for name in NAMES[1:]] == reports
    assert [fleet.image] * 3 == fleet.images
    assert SIZE < sent < 1.1 * SIZE
    assert fleet.is_idle


def test_an_engine_is_down(fleet: Fleet) -> None:
    """A node that cannot load the image still passes the stream on."""
    spark3 = fleet.nodes[1]
    spark3.stop_engine()
    reports = fleet.load()
    spark3.start_engine()
    output = (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. "
        "Is the docker daemon running?"
    )
    failed = LoadReport(node="spark3", code=1, output=output)

    assert [fleet.loaded("spark2"), failed, fleet.loaded("spark4")] == reports
    assert [fleet.image, "", fleet.image] == fleet.images


def test_the_last_node_is_unreachable(fleet: Fleet) -> None:
    """A node that refuses connections does not stop those before it."""
    spark4 = fleet.nodes[2]
    spark4.stop_ssh()
    reports = fleet.load()
    spark4.start_ssh()
    output = f"ssh: connect to host {spark4.address} port 22: Connection refused"
    lost = LoadReport(node="spark4", code=LOST, output=output)

    assert [fleet.loaded("spark2"), fleet.loaded("spark3"), lost] == reports
    assert [fleet.image, fleet.image, ""] == fleet.images


def test_interrupted(fleet: Fleet) -> None:
    """If the sender dies, no node has an image."""
    with fleet.started(fleet.command, SIZE // 2):
        pass
    wait_until(lambda: fleet.is_idle)

    assert [""] * 3 == fleet.images


def test_a_load_that_hangs(fleet: Fleet) -> None:
    """If the sender dies, a load that hangs ends too."""
    with stalled(fleet.nodes[1], MEGA):
        with fleet.started(fleet.command, 2 * MEGA):
            pass
        wait_until(lambda: fleet.is_idle)

    assert [""] * 3 == fleet.images


def test_unplugged(fleet: Fleet) -> None:
    """If the sender's link is cut without notice, the nodes end (sooner here than usual)."""
    impatient = [word.replace("[0-6]", "[0-3]") for word in fleet.command]
    with fleet.started(impatient, SIZE // 2), unplugged(fleet.lan.hosts[0]):
        wait_until(lambda: fleet.is_idle)

    assert [""] * 3 == fleet.images
