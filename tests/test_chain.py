"""One stream into several nodes: its command, what that does, and what the nodes report."""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.host import Host
from cluster.ship import chain
from cluster.ship.chain import LOST, MARK, LoadReport
from cluster.ship.routes import Hop, ShipRoute
from tests.shipments import ssh

NAMES = ("spark1", "spark2", "spark3", "spark4")
ADDRESSES = tuple(f"192.168.177.{n}" for n in (11, 12, 13, 14))
ROUTES = tuple(
    ShipRoute(host=Host(name=name, ssh_host=f"{name}.lan"), hop=Hop(address=address, user="nvidia"))
    for name, address in zip(NAMES, ADDRESSES, strict=True)
)
FOLDERS = ("first", *ADDRESSES[1:])
"""What each node calls itself."""
ARCHIVE = bytes(range(256)) * 4096
HOP_SSH = ssh(" -o ProxyCommand=none")
# An engine that writes its input to a file, unless the node has a program to run instead.
DOCKER = """#!/bin/sh
[ "$*" = load ] || exit 9
if [ -e "$PLACE/$NODE.sh" ]; then . "$PLACE/$NODE.sh"; fi
cat >"$PLACE/$NODE"
echo "Loaded image ID: $NODE"
"""
# The SSH connection to the next node, whose login shell prints a greeting and runs the command.
SSH_PROGRAM = """#!/bin/sh
printf "%s\\n" "$*" >"$PLACE/arguments"
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
    """Four nodes in a folder, with programs in place of ssh and Docker."""

    place: Path

    def write(self, name: str, text: str) -> None:
        """Write a file that the programs read."""
        (self.place / name).write_text(text, "utf-8")

    def received(self) -> dict[str, bool]:
        """Return whether a node has received the whole archive, for each that received any."""
        files = {name: self.place / name for name in FOLDERS}
        return {name: file.read_bytes() == ARCHIVE for name, file in files.items() if file.exists()}

    def load(
        self,
        routes: tuple[ShipRoute, ...] = ROUTES,
        *,
        stream: bytes = ARCHIVE,
        compress: bool = False,
    ) -> dict[str, LoadReport]:
        """Run the chain as the first node's SSH server would."""
        line = chain.load(routes, compress=compress)[-1]
        done = subprocess.run(
            ["sh", "-c", line],
            input=stream,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.variables,
            timeout=10,
            check=True,
        )
        return chain.reports(done.stdout.decode(errors="replace"), routes)

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the programs."""
        path = f"{self.place / 'bin'}:{os.environ['PATH']}"
        return {"PATH": path, "PLACE": str(self.place), "NODE": "first"}


def new_chain(place: Path, shell: str = "dash") -> Chain:
    """Write the programs; `shell` is the `sh` of the nodes."""
    programs = place / "bin"
    programs.mkdir(parents=True)
    for name, text in (("docker", DOCKER), ("ssh", SSH_PROGRAM)):
        (programs / name).write_text(text, "utf-8")
        (programs / name).chmod(0o755)
    (programs / "sh").symlink_to(shutil.which(shell) or shell)
    return Chain(place=place)


@pytest.fixture
def nodes(tmp_path: Path) -> Chain:
    """Four nodes."""
    return new_chain(tmp_path / "nodes")


def loaded(number: int) -> LoadReport:
    """Return the report of a node that received everything."""
    output = f"Loaded image ID: {FOLDERS[number - 1]}"
    return LoadReport(node=NAMES[number - 1], code=0, output=output)


def test_star() -> None:
    """A single node is reached by its SSH_HOST or over the fast link."""
    fast = ShipRoute(host=ROUTES[0].host, fast_address="192.168.177.11", known_as="spark1")
    by_name = chain.load(ROUTES[:1], compress=False)
    over_fabric = chain.load((fast,), compress=False)
    options = (
        " -o HostName=192.168.177.11 -o HostKeyAlias=spark1 -o CheckHostIP=no -o ProxyCommand=none"
    )

    assert (*ssh().split(), "--", "spark1.lan") == by_name[:-1]
    assert (*ssh(options).split(), "--", "spark1.lan", by_name[-1]) == over_fabric


def test_words() -> None:
    """The first node's shell gets the script, its number, and the hops to the next nodes."""
    words = shlex.split(chain.load(ROUTES, compress=False)[-1])

    assert ["sh", "-c", 'eval "$0"'] == words[:3]
    assert ["1", *(f"22:nvidia@192.168.177.{n}" for n in (12, 13, 14))] == words[4:]


def test_any_login_shell() -> None:
    """The script has nothing that a login shell changes within single quotes."""
    script = shlex.split(chain.load(ROUTES, compress=True)[-1])[3]

    assert [] == re.findall(r"['\n]|![^ ]", script)


def test_one_line() -> None:
    """A program keeps its meaning on one line: only where a command ends comes a semicolon."""
    program = """\
#!/bin/sh
# A comment.

if true; then
  echo "a # b" |
    cat
fi
run() {
  case $1 in
    a) ;;
    *) echo c ;;
  esac
} &
"""
    line = (
        'if true; then echo "a # b" | cat ; fi ; run() { case $1 in a) ;; *) echo c ;; esac ; } &'
    )

    assert line == chain.one_line(program)


@pytest.mark.parametrize("shell", SHELLS)
def test_all_load(tmp_path: Path, shell: str) -> None:
    """Each node receives every byte and reports it, whichever shell is its `sh`."""
    nodes = new_chain(tmp_path / "its nodes", shell)

    assert [loaded(n) for n in (1, 2, 3, 4)] == list(nodes.load().values())
    assert dict.fromkeys(FOLDERS, True) == nodes.received()


def test_hop_options(nodes: Chain) -> None:
    """A node reaches the next one without questions, and notices a lost connection."""
    nodes.load(ROUTES[:2])
    arguments = (nodes.place / "arguments").read_text("utf-8")

    assert (
        f"{HOP_SSH.removeprefix('ssh ')} -p 22 -- nvidia@192.168.177.12 "
        == arguments.partition("sh -c")[0]
    )


@pytest.mark.skipif(not shutil.which("zstd"), reason="not installed: zstd")
def test_compressed(nodes: Chain) -> None:
    """A compressed stream is unpacked on each node."""
    packed = subprocess.run(["zstd", "-qc"], input=ARCHIVE, stdout=subprocess.PIPE, check=True)
    nodes.load(stream=packed.stdout, compress=True)

    assert dict.fromkeys(FOLDERS, True) == nodes.received()


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_load_dies(nodes: Chain, number: int) -> None:
    """A node whose load fails does not stop the stream to the next ones."""
    nodes.write(f"{FOLDERS[number - 1]}.sh", "echo 'no space left' >&2; printf '\\nat all'; exit 1")
    failed = LoadReport(node=NAMES[number - 1], code=1, output="no space left\n\nat all")
    expected = [failed if n == number else loaded(n) for n in (1, 2, 3, 4)]

    assert expected == list(nodes.load().values())


def test_all_loads_die(nodes: Chain) -> None:
    """If all loads fail, the stream ends, and each node reports it."""
    for folder in FOLDERS:
        nodes.write(f"{folder}.sh", "exit 1")

    assert [1, 1, 1, 1] == [report.code for report in nodes.load().values()]


def test_out_of_reach(nodes: Chain) -> None:
    """A node that cannot be reached does not stop those before it; those after it are lost."""
    nodes.write(f"{ADDRESSES[2]}.cut", "ssh: connect to host spark3 port 22: No route to host\n")
    expected = [
        loaded(1),
        loaded(2),
        LoadReport(
            node="spark3", code=LOST, output="ssh: connect to host spark3 port 22: No route to host"
        ),
        LoadReport(node="spark4", code=LOST, output=""),
    ]

    assert expected == list(nodes.load().values())


@pytest.mark.parametrize("shell", SHELLS)
def test_side_by_side(tmp_path: Path, shell: str) -> None:
    """A node receives the end of the stream while the one before it is still loading."""
    nodes = new_chain(tmp_path, shell)
    end = f'until [ -e "$PLACE/{ADDRESSES[3]}.end" ]; do sleep 0.02; done'
    for folder in FOLDERS[:3]:
        nodes.write(f"{folder}.sh", f'cat >/dev/null; {end}; echo "Loaded image ID: $NODE"; exit 0')
    nodes.write(f"{ADDRESSES[3]}.sh", 'cat >/dev/null; : >"$PLACE/$NODE.end"; exit 0')

    assert [0, 0, 0, 0] == [report.code for report in nodes.load().values()]


def test_leaves_nothing(nodes: Chain) -> None:
    """No process is left after the end."""
    line = chain.load(ROUTES, compress=False)[-1]
    variables = nodes.variables | {"SSH_CONNECTION": "192.168.177.1 40000 192.168.177.11 22"}
    argv = ["sh", "-c", line]
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=variables,
        start_new_session=True,
    ) as first:
        first.communicate(timeout=4)

    assert dict.fromkeys(FOLDERS, False) == nodes.received()


@settings(max_examples=20, deadline=None)
@given(user=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_user(tmp_path_factory: pytest.TempPathFactory, user: str) -> None:
    """Any user name reaches the node that needs it unchanged, through all nodes before it."""
    nodes = new_chain(tmp_path_factory.mktemp("nodes") / "its nodes")
    last = replace(ROUTES[3], hop=Hop(address=ADDRESSES[3], user=user))
    nodes.load((*ROUTES[:3], last), stream=b"")
    target = (nodes.place / f"{ADDRESSES[3]}.to").read_bytes()

    assert f"{user}@{ADDRESSES[3]}" == target.decode()


def test_probe() -> None:
    """A node itself tries to reach the next one, with the options of the chain."""
    hop = Hop(address="192.168.177.12", user="o'brien", port="2222")
    line = f"{HOP_SSH} -p 2222 -- 'o'\"'\"'brien@192.168.177.12' true"

    assert (*ssh().split(), "--", "spark1.lan", line) == chain.probe(
        ROUTES[0], replace(ROUTES[1], hop=hop)
    )


def test_no_report() -> None:
    """For a node without a report there is the output of ssh, or of a shell."""
    cut = f"Welcome!\n{MARK} 1 output Loaded\nTimeout, server spark1.lan not responding.\n"
    expected = {
        "spark1": LoadReport(
            node="spark1",
            code=LOST,
            output="Welcome!\nTimeout, server spark1.lan not responding.",
        ),
        "spark2": LoadReport(node="spark2", code=LOST, output=""),
    }

    assert expected == chain.reports(cut, ROUTES[:2])


JUNK = st.text().filter(lambda text: MARK not in text)
LINE = JUNK.map(lambda text: text.replace("\n", " "))


@given(junk=st.lists(JUNK, min_size=3, max_size=3), output=LINE, code=st.integers(0, 254))
def test_reports_in_anything(junk: list[str], output: str, code: int) -> None:
    """Reports are found, whatever is printed around them."""
    second = f"\n{MARK} 2 output {output}\n{MARK} 2 ended {code}\n"
    first = f"\n{MARK} 1 output Loaded\n{MARK} 1 ended 0\n"
    expected = {
        "spark1": LoadReport(node="spark1", code=0, output="Loaded"),
        "spark2": LoadReport(node="spark2", code=code, output=output.strip()),
    }

    assert expected == chain.reports(f"{junk[0]}{first}{junk[1]}{second}{junk[2]}", ROUTES[:2])


@given(text=st.text(), marked=st.text())
def test_reports_of_anything(text: str, marked: str) -> None:
    """No output makes the reader fail."""
    assert list(NAMES) == list(chain.reports(f"{text}\n{MARK} 1 ended {marked}", ROUTES))
