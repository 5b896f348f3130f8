"""The one question to a machine, and its answer as a whole."""

import os
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.facts import bundle
from cluster.facts.bundle import PARTS, Wanted
from cluster.facts.docker import Docker
from cluster.facts.facts import Facts
from cluster.facts.links import Interface, Links
from cluster.facts.machine import Machine, Memory
from cluster.facts.reach import Reach, Way

CAPTURES = Path(__file__).parent / "captures/facts"
SPARK = (CAPTURES / "one-cable/spark1.txt").read_text(encoding="utf-8")
PEER = IPv4Address("192.168.177.12")
WANTED = Wanted(
    image="vllm-node:latest",
    container="vllm-node",
    pings=(("enp1s0f1np1", PEER),),
    ports=((PEER, 6379),),
    ways=(PEER,),
)
NOTHING = Facts(
    machine=Machine(
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
WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def asked(text: str) -> list[str]:
    """Return the names of the parts that a question asks for."""
    lines = [line for line in text.splitlines() if line.startswith("parts=")]
    return lines[0].removeprefix("parts='").removesuffix("'").split()


def test_question() -> None:
    """The whole text, as machines get it."""
    expected = (CAPTURES / "question.sh").read_text(encoding="utf-8")

    assert expected == bundle.question(WANTED)


def test_fast() -> None:
    """The fast form leaves out what no check that blocks looks at."""
    whole, fast = (asked(bundle.question(Wanted(fast=fast))) for fast in (False, True))

    assert [*(part.name for part in PARTS), "reach"] == whole
    assert ["routes", "resolved", "sessions", "clients", "model_disk", "models"] == [
        name for name in whole if name not in fast
    ]


def test_joining() -> None:
    """Whoever asks how machines are joined asks for no more than that."""
    text = bundle.question(Wanted(), parts=bundle.JOINING)

    assert ["addresses", "adapters", "devices", "netdevs", "system", "gpus", "reach"] == asked(text)


def test_reaching() -> None:
    """A question for peers alone has the same frame, and its answer is whole as well."""
    whole = bundle.question(WANTED)
    ours = "".join(part.function for part in PARTS)
    names = "".join(f"{part.name} " for part in PARTS)
    expected = whole.replace(ours, "").replace(names, "")

    assert expected == bundle.reaching(WANTED)


def test_here() -> None:
    """The machine that the test runs on answers, and is what it is."""
    text = bundle.question(Wanted(image="no-such-image", container="no-such-container"))
    done = subprocess.run(["sh", "-s"], check=True, input=text, capture_output=True, text=True)
    found = bundle.facts(done.stdout)

    assert bundle.answered(done.stdout)
    assert (os.uname().release, os.uname().machine, os.uname().nodename) == (
        found.machine.kernel,
        found.machine.architecture,
        found.machine.hostname,
    )


@pytest.mark.parametrize("shell", [["sh", "-s"], ["bash", "--posix", "-s"]])
def test_bare(shell: list[str], tmp_path: Path) -> None:
    """A machine that has nearly no program says so, and nothing stands in the way of the rest."""
    for name in ("cat", "date", "mktemp", "rm", "timeout", "uname"):
        (tmp_path / name).symlink_to(Path("/usr/bin", name))
    text = bundle.question(WANTED).replace("$PATH:/usr/sbin:/sbin", "$PATH")
    done = subprocess.run(
        [f"/bin/{shell[0]}", *shell[1:]],
        check=True,
        input=text,
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
    )
    found = bundle.facts(done.stdout)

    assert ("", True) == (done.stderr, bundle.answered(done.stdout))
    assert ["ip: not found", "nvidia-smi: not found", "docker: not found"] == [
        found.links.error,
        found.gpus.error,
        found.docker.error,
    ]
    assert ((), ()) == (found.reach.ways, found.links.interfaces)
    assert os.uname().release == found.machine.kernel


def test_no_room(tmp_path: Path) -> None:
    """Where no file can be written, that is the answer."""
    text = bundle.question(Wanted()).replace("/dev/shm", "/no/such/folder")  # noqa: S108 (no file)
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
    """Whatever the user wrote, the shell has it as it is, and nothing else changes."""
    wanted = replace(WANTED, image=image, container=container, hf_cache=cache)
    words = bundle._words(wanted)
    shown = f'{words}printf \'%s|%s|%s\' "$image" "$container" "$cache"'
    done = subprocess.run(["sh", "-c", shown], check=True, capture_output=True)

    assert f"{image}|{container}|{cache}" == done.stdout.decode()
    assert bundle.question(wanted) == bundle.question(WANTED).replace(bundle._words(WANTED), words)


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
    """A login that does something else with a question is no answer."""
    assert expected == bundle.answered(text)


def test_before_the_answer() -> None:
    """What start-up files of a shell print is no part of it."""
    assert bundle.facts(SPARK) == bundle.facts(f"Welcome!\n== news ==\n{SPARK}")


def test_nothing() -> None:
    """What was not asked, or did not answer, is not known."""
    assert NOTHING == bundle.facts(FRAME)


def test_reach() -> None:
    """An answer to the question for peers has nothing else."""
    text = '== reach\nway 192.168.177.12 0 [{"dev":"enp1s0f1np1"}]\n\n== clock\n7.5\n\n== end\n'
    machine = replace(NOTHING.machine, clock=7.5)
    reach = Reach(ways=(Way(peer=PEER, device="enp1s0f1np1"),))

    assert replace(NOTHING, machine=machine, reach=reach) == bundle.facts(text)


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
            "== reach\nway x 0 [\n== system\nnames a\n== resolved\n127.0.0.1 x\n",
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
    """A part of another shape counts as not said, and takes nothing else with it."""
    assert expected == bundle.facts(f"{text}{FRAME}")


@pytest.mark.parametrize("text", ["", "Welcome!\n", SPARK.removesuffix("== end\n")])
def test_not_whole(text: str) -> None:
    """Without the frame there is nothing to read."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (the text is compared below)
        bundle.facts(text)

    assert "its answer is not whole" == str(caught.value)


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_damaged(data: st.DataObject) -> None:
    """An answer that was damaged anywhere is read, or is not whole."""
    at = data.draw(st.integers(0, len(SPARK)))
    end = at + data.draw(st.integers(0, 40))
    noise = data.draw(st.text(max_size=8))
    try:
        found = bundle.facts(SPARK[:at] + noise + SPARK[end:])
    except ValueError:
        return

    assert found.lead is None
