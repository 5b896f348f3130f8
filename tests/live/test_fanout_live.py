"""One stream into a chain of nodes, with real engines: what each has, whatever fails on the way."""

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
from cluster.ship.chain import LOST, Hop, Report
from cluster.ship.route import Way
from tests.live import hosts
from tests.live.damage import stalled, unplugged
from tests.live.hosts import Lan
from tests.live.machine import Machine
from tests.live.ships import MEGA, build, waited

pytestmark = pytest.mark.live

NAMES = ("spark1", "spark2", "spark3", "spark4")
WAYS = tuple(Way(engine=Host(name=name, ssh_host=name)) for name in NAMES[1:])
SIZE = 20 * MEGA
COMMANDS = "for it in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$it; echo; done 2>/dev/null"
OF_A_CHAIN = ("docker load", "ssh -T", "tee -p")


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Hosts, and the archive of an image that the first one has made."""

    lan: Lan
    image: str
    archive: Path

    @property
    def nodes(self) -> tuple[Machine, ...]:
        """The hosts of the chain."""
        return self.lan.hosts[1:]

    @property
    def command(self) -> list[str]:
        """The command of the chain."""
        hops = tuple(Hop(address=host.address, user="root") for host in self.nodes[1:])
        return list(chain.load(WAYS, hops, compress=False))

    def load(self) -> list[Report]:
        """Load the whole archive; return what the nodes report."""
        script = 'exec "$@" <"$0" 2>&1'
        done = self.lan.hosts[0].run(["sh", "-c", script, self.archive, *self.command])
        return list(chain.reports(done.stdout, WAYS).values())

    @contextmanager
    def begun(self, command: list[str], sent: int) -> Iterator[None]:
        """Start the chain, and give it so many bytes of the archive; then kill it."""
        with self.lan.hosts[0].start(command) as process:
            try:
                assert isinstance(process.stdin, TextIOWrapper)
                process.stdin.buffer.write(self.archive.read_bytes()[:sent])
                process.stdin.buffer.flush()
                waited(lambda: all(self.has_begun(node) for node in self.nodes))
                yield
            finally:
                killed(process)

    def has_begun(self, node: Machine) -> bool:
        """Tell whether the engine of a node unpacks something."""
        return any((node.folder / "engine/data/tmp").iterdir())

    @property
    def idle(self) -> bool:
        """Whether nothing of a chain runs any more on a node, nor is kept for it."""
        said = "\n".join(node.run(["sh", "-c", COMMANDS]).stdout for node in self.nodes)
        runs = any(line.startswith(OF_A_CHAIN) for line in said.split("\n"))
        return not runs and not any(self.has_begun(node) for node in self.nodes)

    @property
    def has(self) -> list[str]:
        """The image that each node has."""
        return [node.docker("image", "ls", "--quiet", "--no-trunc") for node in self.nodes]

    def loaded(self, node: str) -> Report:
        """Return what a node reports that has the image."""
        return Report(node=node, code=0, said=f"Loaded image ID: {self.image}")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Four hosts."""
    with hosts.made(tmp_path_factory.mktemp("lan"), NAMES) as lan:
        first = lan.hosts[0]
        image = build(first, "chain:1", SIZE)
        archive = first.folder / "archive"
        first.docker("save", "--output", str(archive), image)
        yield Fleet(lan=lan, image=image, archive=archive)


@pytest.fixture
def fleet(made: Fleet) -> Iterator[Fleet]:
    """Four hosts, the last three of which have no image."""
    yield made
    for node in made.nodes:
        node.docker("image", "prune", "--all", "--force")


def killed(process: "subprocess.Popen[str]") -> None:
    """Kill the program that was started on a host, if it runs: its parent watches over it."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for child in children.read_text("utf-8").split():
        os.kill(int(child), signal.SIGKILL)


def test_one_stream(fleet: Fleet) -> None:
    """Three nodes get the image, and the first machine sends it once."""
    before = fleet.lan.hosts[0].interface_bytes()[1]
    said = fleet.load()
    sent = fleet.lan.hosts[0].interface_bytes()[1] - before

    assert [fleet.loaded(name) for name in NAMES[1:]] == said
    assert [fleet.image] * 3 == fleet.has
    assert SIZE < sent < 1.1 * SIZE
    assert fleet.idle


def test_an_engine_is_down(fleet: Fleet) -> None:
    """A node in the middle that cannot load hands the stream on."""
    spark3 = fleet.nodes[1]
    spark3.stop_engine()
    said = fleet.load()
    spark3.start_engine()
    why = (
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. "
        "Is the docker daemon running?"
    )
    failed = Report(node="spark3", code=1, said=why)

    assert [fleet.loaded("spark2"), failed, fleet.loaded("spark4")] == said
    assert [fleet.image, "", fleet.image] == fleet.has


def test_the_last_is_out_of_reach(fleet: Fleet) -> None:
    """A node that refuses connections does not stop those before it."""
    spark4 = fleet.nodes[2]
    spark4.stop_ssh()
    said = fleet.load()
    spark4.start_ssh()
    why = f"ssh: connect to host {spark4.address} port 22: Connection refused"
    lost = Report(node="spark4", code=LOST, said=why)

    assert [fleet.loaded("spark2"), fleet.loaded("spark3"), lost] == said
    assert [fleet.image, fleet.image, ""] == fleet.has


def test_interrupted(fleet: Fleet) -> None:
    """When the sender dies, no node takes what it got for an image."""
    with fleet.begun(fleet.command, SIZE // 2):
        pass
    waited(lambda: fleet.idle)

    assert [""] * 3 == fleet.has


def test_given_up(fleet: Fleet) -> None:
    """When the sender gives up, a load that hangs ends on its node, too."""
    with stalled(fleet.nodes[1], MEGA):
        with fleet.begun(fleet.command, 2 * MEGA):
            pass
        waited(lambda: fleet.idle)

    assert [""] * 3 == fleet.has


def test_unplugged(fleet: Fleet) -> None:
    """When the sender's link is cut, and nobody is told, the nodes notice (here sooner)."""
    impatient = [word.replace("[0-6]", "[0-3]") for word in fleet.command]
    with fleet.begun(impatient, SIZE // 2), unplugged(fleet.lan.hosts[0]):
        waited(lambda: fleet.idle)

    assert [""] * 3 == fleet.has
