"""One stream into several nodes: the command for it, what it does, and what nodes report."""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.host import Host
from cluster.ship import chain
from cluster.ship.chain import LOST, MARK, Hop, Report
from cluster.ship.route import Way

NAMES = ("spark1", "spark2", "spark3", "spark4")
WAYS = tuple(Way(engine=Host(name=name, ssh_host=f"{name}.lan")) for name in NAMES)
HOPS = tuple(Hop(address=f"192.168.177.{n}", user="nvidia") for n in (12, 13, 14))
ARCHIVE = bytes(range(256)) * 4096
SSH = (
    "ssh -T -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=10 -o ControlPath=none "
    "-o RemoteCommand=none -o ClearAllForwardings=yes -o Compression=no"
)
OPTIONS = f"{SSH} -o ServerAliveCountMax=3 -o ProxyCommand=none"
# An engine that keeps what it gets in a file, or does what the node's own program says instead.
DOCKER = """#!/bin/sh
[ "$*" = load ] || exit 9
if [ -e "$PLACE/$NODE.sh" ]; then . "$PLACE/$NODE.sh"; fi
cat >"$PLACE/$NODE"
echo "Loaded image ID: $NODE"
"""
# A way to the next node: its login shell says something, and runs the command.
HOP = """#!/bin/sh
printf "%s\\n" "$*" >"$PLACE/asked"
while [ "$1" != -- ]; do shift; done
NODE=${2##*@}
if [ -e "$PLACE/$NODE.cut" ]; then cat "$PLACE/$NODE.cut" >&2; exit 255; fi
printf "%s" "$2" >"$PLACE/$NODE.to"
printf "Welcome to \\007$NODE! "
NODE=$NODE exec sh -c "$3"
"""
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Four nodes that are folders, and programs in place of ssh and Docker."""

    place: Path

    def write(self, name: str, text: str) -> None:
        """Write a file that the programs know."""
        (self.place / name).write_text(text, "utf-8")

    def got(self) -> dict[str, bool]:
        """Tell for each node that got anything whether it got the whole archive."""
        files = {name: self.place / name for name in ("first", *(hop.address for hop in HOPS))}
        return {name: file.read_bytes() == ARCHIVE for name, file in files.items() if file.exists()}

    def load(
        self, hops: tuple[Hop, ...] = HOPS, *, given: bytes = ARCHIVE, compress: bool = False
    ) -> dict[str, Report]:
        """Run the chain as the first node's SSH server would."""
        ways = WAYS[: len(hops) + 1]
        line = chain.load(ways, hops, compress=compress)[-1]
        done = subprocess.run(
            ["sh", "-c", line],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.variables,
            timeout=10,
            check=True,
        )
        return chain.reports(done.stdout.decode(errors="replace"), ways)

    @property
    def variables(self) -> dict[str, str]:
        """What the programs need."""
        path = f"{self.place / 'bin'}:{os.environ['PATH']}"
        return {"PATH": path, "PLACE": str(self.place), "NODE": "first"}


def made(place: Path, shell: str = "dash") -> Chain:
    """Make the programs; the nodes' `sh` is a shell of one's choice."""
    own = place / "bin"
    own.mkdir(parents=True)
    for name, text in (("docker", DOCKER), ("ssh", HOP)):
        (own / name).write_text(text, "utf-8")
        (own / name).chmod(0o755)
    (own / "sh").symlink_to(shutil.which(shell) or shell)
    return Chain(place=place)


@pytest.fixture
def nodes(tmp_path: Path) -> Chain:
    """Four nodes."""
    return made(tmp_path / "nodes")


def loaded(number: int) -> Report:
    """Return what a node reports that got it all."""
    its = "first" if number == 1 else HOPS[number - 2].address
    return Report(node=NAMES[number - 1], code=0, said=f"Loaded image ID: {its}")


def test_star() -> None:
    """One node is asked by its SSH_HOST or over the fast link, as for everything else."""
    fast = Way(engine=WAYS[0].engine, fabric="192.168.177.11", known_as="spark1")
    by_name = chain.load(WAYS[:1], compress=False)
    over_fabric = chain.load((fast,), compress=False)
    name = "-o HostName=192.168.177.11 -o HostKeyAlias=spark1 -o CheckHostIP=no"

    assert (*SSH.split(), "spark1.lan") == by_name[:-1]
    assert (
        *f"{SSH} {name} -o ProxyCommand=none".split(),
        "spark1.lan",
        by_name[-1],
    ) == over_fabric


def test_words() -> None:
    """The first node's shell gets the script, its number, and how the next ones are reached."""
    words = shlex.split(chain.load(WAYS, HOPS, compress=False)[-1])

    assert ["sh", "-c", 'eval "$0"'] == words[:3]
    assert ["1", *(f"22:nvidia@192.168.177.{n}" for n in (12, 13, 14))] == words[4:]


def test_any_login_shell() -> None:
    """The script has nothing that a shell takes for something else within single quotes."""
    script = shlex.split(chain.load(WAYS, HOPS, compress=True)[-1])[3]

    assert [] == re.findall(r"['\n]|![^ ]", script)


def test_number_of_hops() -> None:
    """There is one hop between two nodes."""
    with pytest.raises(ValueError, match=r"^1 hops between 4 nodes$"):
        chain.load(WAYS, HOPS[:1], compress=False)


@pytest.mark.parametrize("shell", SHELLS)
def test_all_load(tmp_path: Path, shell: str) -> None:
    """Each node gets every byte, and reports, whichever shell is its `sh`."""
    nodes = made(tmp_path / "its nodes", shell)

    assert [loaded(n) for n in (1, 2, 3, 4)] == list(nodes.load().values())
    assert {"first": True} | {hop.address: True for hop in HOPS} == nodes.got()


def test_hop_options(nodes: Chain) -> None:
    """A node reaches the next one without questions, and notices when it is gone."""
    nodes.load(HOPS[:1])
    asked = (nodes.place / "asked").read_text("utf-8")

    assert (
        f"{OPTIONS.removeprefix('ssh ')} -p 22 -- nvidia@192.168.177.12 "
        == asked.partition("sh -c")[0]
    )


@pytest.mark.skipif(not shutil.which("zstd"), reason="not installed: zstd")
def test_compressed(nodes: Chain) -> None:
    """A compressed stream is unpacked on each node."""
    packed = subprocess.run(["zstd", "-qc"], input=ARCHIVE, stdout=subprocess.PIPE, check=True)
    nodes.load(given=packed.stdout, compress=True)

    assert {"first": True} | {hop.address: True for hop in HOPS} == nodes.got()


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_load_dies(nodes: Chain, number: int) -> None:
    """A node that takes nothing does not stop the stream to the next ones."""
    its = ("first", *(hop.address for hop in HOPS))[number - 1]
    nodes.write(f"{its}.sh", "echo 'no space left' >&2; printf '\\nat all'; exit 1")
    failed = Report(node=NAMES[number - 1], code=1, said="no space left\n\nat all")
    expected = [failed if n == number else loaded(n) for n in (1, 2, 3, 4)]

    assert expected == list(nodes.load().values())


def test_all_loads_die(nodes: Chain) -> None:
    """When no node takes anything, the stream ends, and each says why."""
    for its in ("first", *(hop.address for hop in HOPS)):
        nodes.write(f"{its}.sh", "exit 1")

    assert [1, 1, 1, 1] == [report.code for report in nodes.load().values()]


def test_out_of_reach(nodes: Chain) -> None:
    """A node that cannot be reached does not stop those before it; what is after it is lost."""
    nodes.write(f"{HOPS[1].address}.cut", "ssh: connect to host spark3 port 22: No route to host\n")
    expected = [
        loaded(1),
        loaded(2),
        Report(
            node="spark3", code=LOST, said="ssh: connect to host spark3 port 22: No route to host"
        ),
        Report(node="spark4", code=LOST, said=""),
    ]

    assert expected == list(nodes.load().values())


@pytest.mark.parametrize("shell", SHELLS)
def test_side_by_side(tmp_path: Path, shell: str) -> None:
    """A node has the end of the stream before the load of the one before it has ended."""
    nodes = made(tmp_path, shell)
    end = f'until [ -e "$PLACE/{HOPS[2].address}.end" ]; do sleep 0.02; done'
    for its in ("first", *(hop.address for hop in HOPS[:2])):
        nodes.write(f"{its}.sh", f'cat >/dev/null; {end}; echo "Loaded image ID: $NODE"; exit 0')
    nodes.write(f"{HOPS[2].address}.sh", 'cat >/dev/null; : >"$PLACE/$NODE.end"; exit 0')

    assert [0, 0, 0, 0] == [report.code for report in nodes.load().values()]


def test_leaves_nothing(nodes: Chain) -> None:
    """No process waits for anything after the end."""
    line = chain.load(WAYS, HOPS, compress=False)[-1]
    own = nodes.variables | {"SSH_CONNECTION": "192.168.177.1 40000 192.168.177.11 22"}
    argv = ["sh", "-c", line]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=own, start_new_session=True
    ) as first:
        first.communicate(timeout=4)

    assert {"first": False} | {hop.address: False for hop in HOPS} == nodes.got()


@settings(max_examples=20, deadline=None)
@given(user=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_user(tmp_path_factory: pytest.TempPathFactory, user: str) -> None:
    """The name of a user comes as it is to the node that needs it, through all before it."""
    nodes = made(tmp_path_factory.mktemp("nodes") / "its nodes")
    hops = (*HOPS[:2], Hop(address=HOPS[2].address, user=user))
    nodes.load(hops, given=b"")
    to = (nodes.place / f"{hops[2].address}.to").read_bytes()

    assert f"{user}@{hops[2].address}" == to.decode()


def test_hop() -> None:
    """User and port of a node are those that ssh has for it here."""
    said = "host spark-02\nuser nvidia\nhostname spark-02.lan\nport 2222\n"

    assert Hop(address="192.168.177.12", user="nvidia", port="2222") == chain.hop(
        "192.168.177.12", said
    )


def test_probe() -> None:
    """Whether a node reaches the next one is asked of the node itself, with the same options."""
    hop = Hop(address="192.168.177.12", user="o'brien", port="2222")
    there = f"{OPTIONS} -p 2222 -- 'o'\"'\"'brien@192.168.177.12' true"

    assert (*SSH.split(), "spark1.lan", there) == chain.probe(WAYS[0], hop)


def test_no_report() -> None:
    """Of a node that has not said how its load ended, there is what ssh said, or a shell."""
    cut = f"Welcome!\n{MARK} 1 said Loaded\nTimeout, server spark1.lan not responding.\n"
    expected = {
        "spark1": Report(
            node="spark1",
            code=LOST,
            said="Welcome!\nTimeout, server spark1.lan not responding.",
        ),
        "spark2": Report(node="spark2", code=LOST, said=""),
    }

    assert expected == chain.reports(cut, WAYS[:2])


JUNK = st.text().filter(lambda text: MARK not in text)
LINE = JUNK.map(lambda text: text.replace("\n", " "))


@given(junk=st.lists(JUNK, min_size=3, max_size=3), said=LINE, code=st.integers(0, 254))
def test_reports_in_anything(junk: list[str], said: str, code: int) -> None:
    """Reports are found, whatever else has been printed around them."""
    second = f"\n{MARK} 2 said {said}\n{MARK} 2 ended {code}\n"
    first = f"\n{MARK} 1 said Loaded\n{MARK} 1 ended 0\n"
    expected = {
        "spark1": Report(node="spark1", code=0, said="Loaded"),
        "spark2": Report(node="spark2", code=code, said=said.strip()),
    }

    assert expected == chain.reports(f"{junk[0]}{first}{junk[1]}{second}{junk[2]}", WAYS[:2])


@given(text=st.text(), marked=st.text())
def test_reports_of_anything(text: str, marked: str) -> None:
    """No output makes the reader fail."""
    assert list(NAMES) == list(chain.reports(f"{text}\n{MARK} 1 ended {marked}", WAYS))
