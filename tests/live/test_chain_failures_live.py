"""Failures between hosts: each is one sentence, leaves nothing half done, and can be repaired."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clone import RunResult
from tests.live.lan import CONTAINER, IMAGE, Site, steady
from tests.live.machine import Machine

pytestmark = [pytest.mark.live, pytest.mark.containers]

PYTHON = Path(sys.executable).name
LISTEN = """
import socket, sys
server = socket.create_server(("", 6379))
print("listens", flush=True)
sys.stdin.read()
"""
STOPPED = (
    "spark2: the Docker engine is not running (`ssh -t spark2 'sudo systemctl start docker'`)\n"
)
LOOK = "all nodes: Check that no other container is in the way  N s"
EXAMINE = f"{LOOK}\nall nodes: Check that nothing blocks the cluster  N s"
REFUSED = "all nodes: nothing was started (skip these checks with `--no-preflight`)\n"
WHOLE = "spark1: Wait until Ray has spark1, spark2  N s\n"
ENDED = "spark2: ray has ended with exit code 137"
KILLED = (
    "`ssh -t spark2 'sudo dmesg | grep -i -e oom -e killed'` shows which; "
    "then lower GPU_MEMORY_UTILIZATION in env/cluster.env and run `inv up` and `inv serve`"
)
WAITS = "spark1: Wait until the model is ready"
MEANWHILE = re.compile(r"^\w+: Wait until [^:]+: .*\n", re.MULTILINE)
JOINED = [("running", "joined"), ("running", "joined")]


@pytest.fixture(autouse=True, scope="module")
def nothing_left(site: Site) -> Iterator[None]:
    """Start and end without a cluster."""
    site.inv("down")
    yield
    site.inv("down")


@pytest.fixture
def up(site: Site) -> None:
    """A complete cluster; one that is already up stays."""
    result = site.inv("up")
    assert result.code == 0, result.err


def outcome(result: RunResult) -> tuple[int, str]:
    """Return the exit code and the lines for a person, without durations.

    The progress of a step is left out: it is printed only if the step takes more than two seconds.
    """
    assert not result.out
    return result.code, MEANWHILE.sub("", steady(result.err))


def identity(host: Machine) -> str:
    """Return the ID of a host's container."""
    return host.docker("inspect", "--format", "{{.Id}}", CONTAINER)


def states(site: Site) -> list[tuple[str, str]]:
    """Return the state of each node's container and its state in Ray."""
    return [(node["runtime"], node["ray"]) for node in site.status()[1]["nodes"]]


@contextmanager
def listening(host: Machine) -> Iterator[None]:
    """Occupy the port of Ray's head on a host."""
    with host.start([sys.executable, "-c", LISTEN]) as process:
        assert process.stdout
        assert process.stdout.readline() == "listens\n"
        yield


def test_no_ssh(site: Site) -> None:
    """A host with a different key and one without an SSH server are both named."""
    known_hosts = site.lan.control.home / ".ssh" / "known_hosts"
    keys = known_hosts.read_text("utf-8")
    first, second = keys.splitlines()
    known_hosts.write_text(f"{first.split()[0]} {second.partition(' ')[2]}\n", "utf-8")
    site.lan.host("spark2").stop_ssh()
    result = site.inv("up")
    known_hosts.write_text(keys, "utf-8")
    site.lan.host("spark2").start_ssh()
    expected = f"""\
{LOOK}  failed
spark1: the host key of spark1 has changed \
(if the machine was reinstalled: `ssh-keygen -R 192.168.177.11`, then `ssh spark1`)
spark2: no SSH server is listening on spark2, port 22 (start it there: `sudo systemctl start ssh`)
"""

    assert (4, expected) == outcome(result)
    assert ["", ""] == site.containers


def test_a_stopped_engine(site: Site) -> None:
    """A stopped engine is named before anything starts on the other host."""
    spark2 = site.lan.host("spark2")
    spark2.stop_engine()
    result = site.inv("up")
    shown = site.inv("status")
    spark2.start_engine()

    assert (4, f"{LOOK}  failed\n{STOPPED}") == outcome(result)
    assert (1, STOPPED) == (shown.code, shown.out.splitlines(keepends=True)[-1])
    assert ["", ""] == site.containers


def test_a_missing_or_different_image(site: Site) -> None:
    """All nodes must have the same image; the remedy copies it to the others."""
    spark2 = site.lan.host("spark2")
    layers = json.loads(spark2.docker("inspect", "--format", "{{json .RootFS.Layers}}", IMAGE))
    spark2.docker("tag", IMAGE, "kept:1")
    spark2.docker("rmi", IMAGE)
    missing = site.inv("up")
    spark2.docker("create", "--name", "other", "kept:1")
    spark2.docker("cp", "/etc/hosts", "other:/another")
    spark2.docker("commit", "other", IMAGE)
    different = site.inv("up")
    spark2.docker("rm", "other")
    spark2.docker("tag", "kept:1", IMAGE)
    spark2.docker("rmi", "kept:1")
    remedy = "(`inv ship --node spark2` copies it from this machine)"
    differs = f"1 of {len(layers) + 1} layers differ"

    missing_line = f"spark2: has no image {IMAGE} {remedy}\n"
    different_line = f"spark2: has another {IMAGE} than spark1: {differs} {remedy}\n"

    assert (3, f"{EXAMINE}\n{missing_line}{REFUSED}") == outcome(missing)
    assert (3, f"{EXAMINE}\n{different_line}{REFUSED}") == outcome(different)
    assert ["", ""] == site.containers


def test_wrong_settings(site: Site) -> None:
    """Interfaces, addresses and ports are checked before anything starts."""
    site.describe_node("spark1", {"ETH_IF": "enp1s0f0np0"})
    site.describe_node("spark2", {"HOST_IP": "192.168.177.99"})
    with listening(site.lan.host("spark1")):
        result = site.inv("up")
    for host in site.lan.hosts:
        site.describe_node(host.name)
    expected = f"""\
{EXAMINE}
spark1: ETH_IF enp1s0f0np0 does not exist; interfaces: enp1s0f1np1 (192.168.177.11) \
(write ETH_IF=enp1s0f1np1 in env/spark1.env: it has HOST_IP 192.168.177.11)
spark2: HOST_IP 192.168.177.99 is on no interface; ETH_IF enp1s0f1np1 has 192.168.177.12 \
(write HOST_IP=192.168.177.12 in env/spark2.env)
spark1: port 6379 (HEAD_PORT) is taken by {PYTHON} on 0.0.0.0 \
(`ssh -t spark1 sudo ss -ltnp sport = :6379` shows the program; \
or write another HEAD_PORT in env/cluster.env)
{REFUSED}"""

    assert (3, expected) == outcome(result)
    assert ["", ""] == site.containers


def test_a_foreign_container(site: Site) -> None:
    """A foreign container of the same name is not touched, and nothing is started."""
    spark2 = site.lan.host("spark2")
    spark2.docker("create", "--name", CONTAINER, IMAGE, "sleep", "1")
    foreign = identity(spark2)
    result = site.inv("up")
    containers = site.containers
    kept = identity(spark2)
    site.inv("down")
    after_down = site.containers
    spark2.docker("rm", CONTAINER)
    sentence = (
        f"spark2: a container named {CONTAINER} exists that this tool did not make "
        "(remove it with `docker rm --force`, or set another CONTAINER)\n"
    )

    assert (3, f"{LOOK}\n{sentence}") == outcome(result)
    assert containers == ["", f"{CONTAINER} created"]
    assert (kept, after_down) == (foreign, ["", f"{CONTAINER} created"])


def test_a_container_that_never_ran(site: Site) -> None:
    """A container of the cluster that never ran is replaced."""
    spark2 = site.lan.host("spark2")
    label = ("--label", "spark-vllm-cluster.cluster=default")
    spark2.docker("create", "--name", CONTAINER, *label, IMAGE, "sleep", "1")
    unused = identity(spark2)
    result = site.inv("up")

    assert result.code == 0, result.err
    assert identity(spark2) != unused
    assert JOINED == states(site)


def test_a_killed_worker(site: Site, up: None) -> None:
    """`status` names it, and `up` restarts nothing else."""
    spark1, spark2 = site.lan.hosts
    head = identity(spark1)
    spark2.docker("kill", CONTAINER)
    code, status = site.status()
    result = site.inv("up")
    expected = f"""\
{EXAMINE}
spark2: Check that spark2 can run Ray  N s
spark1: Start Ray (head): already running
spark2: Start Ray (worker)  N s
{WHOLE}"""

    assert (1, False) == (code, status["healthy"])
    assert ["running", "ended"] == [node["runtime"] for node in status["nodes"]]
    assert (0, expected) == outcome(result)
    assert head == identity(spark1)
    assert JOINED == states(site)


def test_a_killed_head(site: Site, up: None) -> None:
    """`status` names it, and `up` restarts it and the worker that had joined it."""
    spark1, spark2 = site.lan.hosts
    worker = identity(spark2)
    spark1.docker("kill", CONTAINER)
    code, status = site.status()
    served = site.inv("serve", "--detach")
    result = site.inv("up")
    unanswered = f"""\
spark1: Check that Ray has spark1, spark2  N s  failed
spark1: Ray does not answer at 192.168.177.11:6379: the probe gave no answer \
(start it with `inv up`, or read `inv logs`)
spark1: the question failed: {CONTAINER} is not running
"""

    assert (1, False) == (code, status["healthy"])
    assert [("ended", "unknown"), ("running", "unknown")] == [
        (node["runtime"], node["ray"]) for node in status["nodes"]
    ]
    assert (3, unanswered) == outcome(served)
    assert result.code == 0, result.err
    assert worker != identity(spark2)
    assert JOINED == states(site)


def test_an_engine_stops_under_a_cluster(site: Site, up: None) -> None:
    """The other nodes are still shown; once the engine runs again, `up` completes the cluster."""
    spark2 = site.lan.host("spark2")
    spark2.stop_engine()
    shown = site.inv("status")
    result = site.inv("up")
    spark2.start_engine()
    repaired = site.inv("up")

    assert (1, STOPPED) == (shown.code, shown.out.splitlines(keepends=True)[-1])
    assert (4, f"{LOOK}  failed\n{STOPPED}") == outcome(result)
    assert repaired.code == 0, repaired.err
    assert JOINED == states(site)


def test_a_worker_dies_while_the_model_loads(site: Site, up: None) -> None:
    """`serve` stops waiting and stops its server."""
    spark1, spark2 = site.lan.hosts
    serving, lines = site.start("serve", "--detach"), []
    for line in serving.stderr or ():
        lines.append(line)
        if line.startswith(f"{WAITS}: ") and len(lines) == 4:
            spark2.docker("kill", CONTAINER)
    result = site.wait(serving)
    programs = spark1.run(["ps", "-e", "-o", "args="]).stdout
    text = steady("".join(lines))

    assert (4, "") == (result.code, result.out)
    assert f"{WAITS}  N s  failed\nspark1: Stop serve  N s\n{ENDED}\n" in text
    assert f"    ({KILLED})\n" == lines[-1]
    assert "vllm serve" not in programs
    assert "not started" == site.status()[1]["server"]["state"]


def test_down_without_an_engine(site: Site, up: None) -> None:
    """An unreachable node is named, and the others are stopped; later nothing is left."""
    spark2 = site.lan.host("spark2")
    spark2.stop_engine()
    partial = site.inv("down")
    left = site.lan.host("spark1").docker("ps", "--all", "--quiet")
    spark2.start_engine()
    down = site.inv("down")

    assert (4, STOPPED) == (partial.code, partial.err.splitlines(keepends=True)[-1])
    assert "" == left
    assert down.code == 0, down.err
    assert ["", ""] == site.containers
    assert not site.state.exists()
