"""What goes wrong between hosts is said in a sentence, leaves nothing half done, and is healed."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.lan import CONTAINER, IMAGE, Site, steady
from tests.live.machine import Machine
from tests.live.rehearsal import Said

pytestmark = [pytest.mark.live, pytest.mark.containers]

PYTHON = Path(sys.executable).name
LISTEN = """
import socket, sys
server = socket.create_server(("", 6379))
print("listens", flush=True)
sys.stdin.read()
"""
STOPPED = (
    "spark2: the Docker engine of spark2 does not run "
    "(`ssh -t spark2 'sudo systemctl start docker'`)\n"
)
LOOK = "all nodes: Check that no other container is in the way  N s"
EXAMINE = f"{LOOK}\nall nodes: Check that nothing keeps the cluster from working  N s"
REFUSED = "all nodes: nothing was started (`--no-preflight` leaves these checks out)\n"
WHOLE = "spark1: Wait until Ray has spark1, spark2  N s\n"
ENDED = "spark2: ray has ended with exit code 137"
KILLED = (
    "`ssh -t spark2 'sudo dmesg | grep -i -e oom -e killed'` tells; "
    "then a lower GPU_MEMORY_UTILIZATION in env/cluster.env, `inv up` and `inv serve`"
)
WAITS = "spark1: Wait until the model is ready"
MEANWHILE = re.compile(r"^\w+: Wait until [^:]+: .*\n", re.MULTILINE)
JOINED = [("running", "joined"), ("running", "joined")]


@pytest.fixture(autouse=True, scope="module")
def nothing_left(site: Site) -> Iterator[None]:
    """Begin and end without a cluster."""
    site.inv("down")
    yield
    site.inv("down")


@pytest.fixture
def up(site: Site) -> None:
    """A whole cluster; one that is up already stays."""
    said = site.inv("up")
    assert said.code == 0, said.err


def told(said: Said) -> tuple[int, str]:
    """Return the exit code and the lines for a person, without durations.

    What a step does meanwhile is told only where it takes more than two seconds.
    """
    assert not said.out
    return said.code, MEANWHILE.sub("", steady(said.err))


def identity(host: Machine) -> str:
    """Return the ID of a host's container."""
    return host.docker("inspect", "--format", "{{.Id}}", CONTAINER)


def states(site: Site) -> list[tuple[str, str]]:
    """Return what each node runs and what Ray thinks of it."""
    return [(node["runtime"], node["ray"]) for node in site.status()[1]["nodes"]]


@contextmanager
def listening(host: Machine) -> Iterator[None]:
    """Occupy the port of Ray's head on a host."""
    with host.start([sys.executable, "-c", LISTEN]) as process:
        assert process.stdout
        assert process.stdout.readline() == "listens\n"
        yield


def test_no_way_in(site: Site) -> None:
    """A host with another key, and one without an SSH server, are both named."""
    known = site.lan.control.home / ".ssh" / "known_hosts"
    keys = known.read_text("utf-8")
    first, second = keys.splitlines()
    known.write_text(f"{first.split()[0]} {second.partition(' ')[2]}\n", "utf-8")
    site.lan.host("spark2").stop_ssh()
    said = site.inv("up")
    known.write_text(keys, "utf-8")
    site.lan.host("spark2").start_ssh()
    expected = f"""\
{LOOK}  failed
spark1: the host key of spark1 is not the one that SSH knows \
(if the machine was installed anew: `ssh-keygen -R 192.168.177.11`, then `ssh spark1`)
spark2: no SSH server listens on spark2, port 22 (start it there: `sudo systemctl start ssh`)
"""

    assert (4, expected) == told(said)
    assert ["", ""] == site.containers


def test_a_stopped_engine(site: Site) -> None:
    """An engine that does not run is named before anything starts on the other host."""
    spark2 = site.lan.host("spark2")
    spark2.stop_engine()
    said = site.inv("up")
    shown = site.inv("status")
    spark2.start_engine()

    assert (4, f"{LOOK}  failed\n{STOPPED}") == told(said)
    assert (1, STOPPED) == (shown.code, shown.out.splitlines(keepends=True)[-1])
    assert ["", ""] == site.containers


def test_an_image_that_is_missing_or_another(site: Site) -> None:
    """All nodes must have the same image; who has not is told how to get it."""
    spark2 = site.lan.host("spark2")
    layers = json.loads(spark2.docker("inspect", "--format", "{{json .RootFS.Layers}}", IMAGE))
    spark2.docker("tag", IMAGE, "kept:1")
    spark2.docker("rmi", IMAGE)
    missing = site.inv("up")
    spark2.docker("create", "--name", "other", "kept:1")
    spark2.docker("cp", "/etc/hosts", "other:/another")
    spark2.docker("commit", "other", IMAGE)
    another = site.inv("up")
    spark2.docker("rm", "other")
    spark2.docker("tag", "kept:1", IMAGE)
    spark2.docker("rmi", "kept:1")
    remedy = "(`inv ship --node spark2` copies it from this machine)"
    differs = f"1 of {len(layers) + 1} layers differ"

    lacks = f"spark2: has no image {IMAGE} {remedy}\n"
    other = f"spark2: has another {IMAGE} than spark1: {differs} {remedy}\n"

    assert (3, f"{EXAMINE}\n{lacks}{REFUSED}") == told(missing)
    assert (3, f"{EXAMINE}\n{other}{REFUSED}") == told(another)
    assert ["", ""] == site.containers


def test_what_a_node_has_not(site: Site) -> None:
    """Interfaces, addresses and ports are looked at before anything starts."""
    site.describe_node("spark1", {"ETH_IF": "enp1s0f0np0"})
    site.describe_node("spark2", {"HOST_IP": "192.168.177.99"})
    with listening(site.lan.host("spark1")):
        said = site.inv("up")
    for host in site.lan.hosts:
        site.describe_node(host.name)
    expected = f"""\
{EXAMINE}
spark1: ETH_IF enp1s0f0np0 does not exist; there are: enp1s0f1np1 (192.168.177.11) \
(write ETH_IF=enp1s0f1np1, which has HOST_IP 192.168.177.11, in env/spark1.env)
spark2: HOST_IP 192.168.177.99 is on no interface; ETH_IF enp1s0f1np1 has 192.168.177.12 \
(write HOST_IP=192.168.177.12 in env/spark2.env)
spark1: cannot listen on port 6379 (HEAD_PORT): {PYTHON} on 0.0.0.0 does \
(`ssh -t spark1 sudo ss -ltnp sport = :6379` shows who does; \
or write another HEAD_PORT in env/cluster.env)
{REFUSED}"""

    assert (3, expected) == told(said)
    assert ["", ""] == site.containers


def test_a_container_of_somebody_else(site: Site) -> None:
    """A container that has the name by chance is not touched, and nothing is started."""
    spark2 = site.lan.host("spark2")
    spark2.docker("create", "--name", CONTAINER, IMAGE, "sleep", "1")
    foreign = identity(spark2)
    said = site.inv("up")
    seen = site.containers
    kept = identity(spark2)
    site.inv("down")
    stays = site.containers
    spark2.docker("rm", CONTAINER)
    sentence = (
        f"spark2: there is a container {CONTAINER} that this tool did not make "
        "(remove it by `docker rm --force`, or choose another name by CONTAINER)\n"
    )

    assert (3, f"{LOOK}\n{sentence}") == told(said)
    assert seen == ["", f"{CONTAINER} created"]
    assert (kept, stays) == (foreign, ["", f"{CONTAINER} created"])


def test_half_a_node_is_made_whole(site: Site) -> None:
    """A container of ours that never ran is made anew."""
    spark2 = site.lan.host("spark2")
    label = ("--label", "spark-vllm-cluster.cluster=default")
    spark2.docker("create", "--name", CONTAINER, *label, IMAGE, "sleep", "1")
    half = identity(spark2)
    said = site.inv("up")

    assert said.code == 0, said.err
    assert identity(spark2) != half
    assert JOINED == states(site)


def test_a_killed_worker(site: Site, up: None) -> None:
    """`status` names it, and `up` starts it again and nothing else."""
    spark1, spark2 = site.lan.hosts
    head = identity(spark1)
    spark2.docker("kill", CONTAINER)
    code, seen = site.status()
    said = site.inv("up")
    expected = f"""\
{EXAMINE}
spark2: Check that spark2 can run Ray  N s
spark1: Start Ray (head): already running
spark2: Start Ray (worker)  N s
{WHOLE}"""

    assert (1, False) == (code, seen["healthy"])
    assert ["running", "ended"] == [node["runtime"] for node in seen["nodes"]]
    assert (0, expected) == told(said)
    assert head == identity(spark1)
    assert JOINED == states(site)


def test_a_killed_head(site: Site, up: None) -> None:
    """`status` names it, and `up` starts it again, and the worker that had joined the old one."""
    spark1, spark2 = site.lan.hosts
    worker = identity(spark2)
    spark1.docker("kill", CONTAINER)
    code, seen = site.status()
    served = site.inv("serve", "--detach")
    said = site.inv("up")
    unanswered = f"""\
spark1: Check that Ray has spark1, spark2  N s  failed
spark1: Ray does not answer at 192.168.177.11:6379: the probe gave no answer \
(start it with `inv up`, or read `inv logs`)
spark1: could not be asked: {CONTAINER} does not run
"""

    assert (1, False) == (code, seen["healthy"])
    assert [("ended", "unknown"), ("running", "unknown")] == [
        (node["runtime"], node["ray"]) for node in seen["nodes"]
    ]
    assert (3, unanswered) == told(served)
    assert said.code == 0, said.err
    assert worker != identity(spark2)
    assert JOINED == states(site)


def test_an_engine_that_stops_under_a_cluster(site: Site, up: None) -> None:
    """The other nodes are shown all the same; with the engine back, `up` makes it whole."""
    spark2 = site.lan.host("spark2")
    spark2.stop_engine()
    shown = site.inv("status")
    said = site.inv("up")
    spark2.start_engine()
    healed = site.inv("up")

    assert (1, STOPPED) == (shown.code, shown.out.splitlines(keepends=True)[-1])
    assert (4, f"{LOOK}  failed\n{STOPPED}") == told(said)
    assert healed.code == 0, healed.err
    assert JOINED == states(site)


def test_a_worker_that_dies_while_the_model_loads(site: Site, up: None) -> None:
    """`serve` does not wait for what will never come, and takes its server down again."""
    spark1, spark2 = site.lan.hosts
    serving, lines = site.start("serve", "--detach"), []
    for line in serving.stderr or ():
        lines.append(line)
        if line.startswith(f"{WAITS}: ") and len(lines) == 4:
            spark2.docker("kill", CONTAINER)
    said = site.wait(serving)
    programs = spark1.run(["ps", "-e", "-o", "args="]).stdout
    heard = steady("".join(lines))

    assert (4, "") == (said.code, said.out)
    assert f"{WAITS}  N s  failed\nspark1: Stop serve  N s\n{ENDED}\n" in heard
    assert f"    ({KILLED})\n" == lines[-1]
    assert "vllm serve" not in programs
    assert "not started" == site.status()[1]["server"]["state"]


def test_down_without_an_engine(site: Site, up: None) -> None:
    """A node that cannot be reached is named, and keeps no other up; later nothing is left."""
    spark2 = site.lan.host("spark2")
    spark2.stop_engine()
    half = site.inv("down")
    left = site.lan.host("spark1").docker("ps", "--all", "--quiet")
    spark2.start_engine()
    down = site.inv("down")

    assert (4, STOPPED) == (half.code, half.err.splitlines(keepends=True)[-1])
    assert "" == left
    assert down.code == 0, down.err
    assert ["", ""] == site.containers
    assert not site.state.exists()
