"""The one question to a machine, and its answer as a whole."""

import os
import re
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster import scripts
from cluster.facts.docker import Docker
from cluster.facts.facts import BLOCKING, JOINING, PARTS, Facts, FactsRequest, is_whole, parse
from cluster.facts.links import Interface, Links
from cluster.facts.machine import MachineFacts, Memory
from cluster.facts.reach import REACH, PeerRoute, Reach

CAPTURES = Path(__file__).parent / "captures/facts"
PROGRAM = Path(__file__).parent.parent / "cluster/facts/question.sh"
SPARK = (CAPTURES / "one-cable/spark1.txt").read_text(encoding="utf-8")
PEER = IPv4Address("192.168.177.12")
REQUEST = FactsRequest(
    image="vllm-node:latest",
    container="vllm-node",
    pings=(("enp1s0f1np1", PEER),),
    ports=((PEER, 6379),),
    routes_to=(PEER,),
)
NOTHING = Facts(
    machine=MachineFacts(
        hostname="",
        memory=Memory(total=0, available=0, free=0, cached=0, swap_total=0, swap_free=0),
    ),
    docker=Docker(error="`docker info` tells of no engine"),
)
ETH = """\
== addresses
[{"ifname":"eth0","flags":["UP","LOWER_UP"],"mtu":1500,"link_type":"ether","addr_info":[]}]
"""
ETH0 = Interface(name="eth0")
FRAME = "\n== clock\n\n== end\n"


def run(text: str) -> subprocess.CompletedProcess[str]:
    """Run a question on this machine."""
    return subprocess.run(["sh", "-s"], check=True, input=text, capture_output=True, text=True)


def mtu(interface: str) -> int:
    """Return the MTU of an interface of this machine."""
    return int(Path("/sys/class/net", interface, "mtu").read_text(encoding="utf-8"))


WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def parts(text: str) -> list[str]:
    """Return the names of the parts that a question asks for."""
    lines = [line for line in text.splitlines() if line.startswith("parts=")]
    return lines[0].removeprefix("parts=").strip("'").split()


def test_question() -> None:
    """What varies stands in front of the program, as assignments."""
    variables = """\
parts='addresses routes adapters devices netdevs system resolved sessions gpus clients engine \
image container toolkit cdi firewall listeners engine_disk model_disk models reach'
image=vllm-node:latest
container=vllm-node
docker_seconds=5
cache='~/.cache/huggingface'
pings='enp1s0f1np1 192.168.177.12'
ports='192.168.177.12 6379'
routes_to=192.168.177.12
"""

    assert variables + PROGRAM.read_text(encoding="utf-8") == REQUEST.question


def test_functions() -> None:
    """The program has a function for each part, and the parts are in its order."""
    functions = re.findall(r"^(\w+)\(\) \{$", PROGRAM.read_text(encoding="utf-8"), re.MULTILINE)
    helpers = {"within", "try", "ping_of_size", "in_folder"}

    assert [part.name for part in PARTS] == [name for name in functions if name not in helpers]


def test_fast() -> None:
    """The fast form leaves out the parts that no check which blocks needs."""
    fast = parts(FactsRequest(parts=BLOCKING).question)

    assert ["routes", "resolved", "sessions", "clients", "model_disk", "models"] == [
        name for name in parts(FactsRequest().question) if name not in fast
    ]


def test_joining() -> None:
    """The question how machines are joined asks for no more than that."""
    names = parts(FactsRequest(parts=JOINING).question)

    assert ["addresses", "adapters", "devices", "netdevs", "system", "gpus"] == names


def test_reaching() -> None:
    """A question about peers alone asks for nothing else."""
    whole = REQUEST.question
    expected = f"parts=reach\n{whole[whole.index('image=') :]}"

    assert expected == replace(REQUEST, parts=(REACH,)).question


def test_peers() -> None:
    """The machine of the tests reaches itself over each interface, port and route."""
    itself, nowhere = IPv4Address("127.0.0.1"), IPv4Address("127.0.0.2")
    request = FactsRequest(
        parts=(REACH,),
        pings=(("lo", itself), ("no-such", nowhere)),
        ports=((itself, 1), (nowhere, 1)),
        routes_to=(itself, nowhere),
    )
    reach = parse(run(request.question).stdout).reach

    assert [("lo", itself, 84), ("lo", itself, mtu("lo")), ("no-such", nowhere, 84)] == [
        (ping.interface, ping.peer, ping.size) for ping in reach.pings
    ]
    assert [(itself, "refused"), (nowhere, "refused")] == [
        (port.peer, port.answer) for port in reach.ports
    ]
    assert [(itself, "lo"), (nowhere, "lo")] == [
        (route.peer, route.device) for route in reach.routes
    ]


def test_here() -> None:
    """The machine of the tests answers with its own kernel and name."""
    text = FactsRequest(image="no-such-image", container="no-such-container").question
    done = run(text)
    facts = parse(done.stdout)

    assert is_whole(done.stdout)
    assert (os.uname().release, os.uname().machine, os.uname().nodename) == (
        facts.machine.kernel,
        facts.machine.architecture,
        facts.machine.hostname,
    )


@pytest.mark.parametrize("shell", [["sh", "-s"], ["bash", "--posix", "-s"]])
def test_bare(shell: list[str], tmp_path: Path) -> None:
    """A machine without most programs names them, and answers the other parts."""
    for name in ("cat", "date", "mktemp", "rm", "timeout", "uname"):
        (tmp_path / name).symlink_to(Path("/usr/bin", name))
    text = REQUEST.question.replace("$PATH:/usr/sbin:/sbin", "$PATH")
    done = subprocess.run(
        [f"/bin/{shell[0]}", *shell[1:]],
        check=True,
        input=text,
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
    )
    facts = parse(done.stdout)

    assert ("", True) == (done.stderr, is_whole(done.stdout))
    assert ["ip: not found", "nvidia-smi: not found", "docker: not found"] == [
        facts.links.error,
        facts.gpus.error,
        facts.docker.error,
    ]
    assert ((), ()) == (facts.reach.routes, facts.links.interfaces)
    assert os.uname().release == facts.machine.kernel


def test_no_room(tmp_path: Path) -> None:
    """A machine on which no file can be written fails with a message."""
    text = FactsRequest().question.replace("/dev/shm", "/no/such/folder")  # noqa: S108 (no file)
    done = subprocess.run(
        ["sh", "-s"],
        check=False,
        input=text,
        capture_output=True,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path / "nowhere")},
    )

    assert (1, "", "neither /no/such/folder nor /tmp has room\n") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )


@given(WORD, WORD, WORD)
@settings(deadline=None, max_examples=40)
def test_quoting(image: str, container: str, cache: str) -> None:
    """Any text of the user reaches the shell's variables unchanged."""
    question = replace(REQUEST, image=image, container=container, hf_cache=cache).question
    variables = question.removesuffix(scripts.program("cluster.facts", "question.sh"))
    text = f'{variables}printf \'%s|%s|%s|%s\' "$image" "$container" "$cache" "$routes_to"'
    done = subprocess.run(["sh", "-c", text], check=True, capture_output=True)

    assert f"{image}|{container}|{cache}|{PEER}" == done.stdout.decode()


@pytest.mark.parametrize(
    "text, expected",
    [
        (SPARK, True),
        (f"Welcome!\n{SPARK}Bye\n", True),
        (SPARK.removesuffix("== end\n"), False),
        ("This account is not available.\n", False),
        ("", False),
    ],
)
def test_answered(text: str, expected: bool) -> None:  # noqa: FBT001 (the expected value)
    """A login that ignores the question gives no answer."""
    assert expected == is_whole(text)


def test_before_the_answer() -> None:
    """Output of a shell's start-up files is ignored."""
    assert parse(SPARK) == parse(f"Welcome!\n== news ==\n{SPARK}")


def test_nothing() -> None:
    """A part that was not asked, or not answered, has no facts."""
    assert NOTHING == parse(FRAME)


def test_reach() -> None:
    """An answer about peers alone has no other facts."""
    text = '== reach\nroute 192.168.177.12 0 [{"dev":"enp1s0f1np1"}]\n\n== clock\n7.5\n\n== end\n'
    machine = replace(NOTHING.machine, clock=7.5)
    reach = Reach(routes=(PeerRoute(peer=PEER, device="enp1s0f1np1"),))

    assert replace(NOTHING, machine=machine, reach=reach) == parse(text)


BLIND = replace(NOTHING, links=Links(error="ip: its answer cannot be read"))
BAD_ENGINE = "docker: the answer of `docker info` cannot be read"


@pytest.mark.parametrize(
    "text, expected",
    [
        ("== addresses\n[1]\n", replace(BLIND, unreadable=("addresses",))),
        ('== addresses\n[{"link_type":"ether"}]\n', replace(BLIND, unreadable=("addresses",))),
        (
            f"{ETH}== adapters\n/sys/class/net/eth0/speed:9.5\n",
            replace(NOTHING, links=Links(interfaces=(ETH0,)), unreadable=("adapters",)),
        ),
        (
            "== engine\n{\n== image\n[1]\n== container\nrunning\n",
            replace(
                NOTHING,
                docker=Docker(error=BAD_ENGINE, container="running"),
                unreadable=("engine", "image"),
            ),
        ),
        (
            "== reach\nroute x 0 [\n== system\nnames a\n== resolved\n127.0.0.1 x\n",
            replace(
                NOTHING,
                machine=replace(NOTHING.machine, resolved=(IPv4Address("127.0.0.1"),)),
                unreadable=("system", "reach"),
            ),
        ),
        (
            "== addresses\n[{\nip: no answer within 2 s\n",
            replace(NOTHING, links=Links(error="ip: no answer within 2 s")),
        ),
    ],
    ids=["a number", "no name", "only together", "two of Docker", "two subjects", "cut off"],
)
def test_unreadable(text: str, expected: Facts) -> None:
    """A part of an unknown shape counts as unanswered, and leaves the other parts alone."""
    assert expected == parse(f"{text}{FRAME}")


@pytest.mark.parametrize("text", ["", "Welcome!\n", SPARK.removesuffix("== end\n")])
def test_not_whole(text: str) -> None:
    """An answer that is not whole is an error."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is compared below)
        parse(text)

    assert "its answer is not whole" == str(caught.value)


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_damaged(data: st.DataObject) -> None:
    """An answer that was damaged anywhere can be parsed, or is not whole."""
    at = data.draw(st.integers(0, len(SPARK)))
    end = at + data.draw(st.integers(0, 40))
    noise = data.draw(st.text(max_size=8))
    try:
        facts = parse(SPARK[:at] + noise + SPARK[end:])
    except ValueError:
        return

    assert facts.lead is None
