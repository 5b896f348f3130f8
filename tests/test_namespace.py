"""Nodes as namespaces: what differs without root, how things are found again, what stays apart."""

from collections.abc import Iterator

import pytest

from cluster.commands.run_spec import RunSpec
from cluster.namespaces.runtime import Namespaces
from cluster.namespaces.steps import (
    Command,
    HoldNamespaces,
    KillLeftovers,
    ProcessHandle,
    StartProcess,
)
from cluster.plan import plans, script
from cluster.plan.steps import Plan, RemoveFolder
from cluster.words import MarkedPid, Word
from tests.clusters import REHEARSAL, namespace_runtime

STATE = "/opt/spark/.state/rehearsal"
HEAD, WORKER = REHEARSAL.nodes
ROOT, ROOTLESS = namespace_runtime(), namespace_runtime(rootless=True)


def number(place: str) -> MarkedPid:
    """Return the number of the process that holds the namespaces of a place."""
    return MarkedPid(f"{STATE}/{place}/init.pid", ("SPARK_CLUSTER_NODE", f"{STATE}/{place}"))


LINK, NODE = number("link"), number("spark1")
SPACES = ("--net", "--mount", "--uts", "--ipc", "--pid")
SPEC = RunSpec(
    node="spark1", service="ray", argv=("ray", "start"), environment=(("VLLM_HOST_IP", "1.2.3.4"),)
)


def holders(runtime: Namespaces) -> list[HoldNamespaces]:
    """Return what keeps the link and the nodes alive."""
    steps = script.flat(runtime.prepare(REHEARSAL.nodes))
    return [step for step in steps if isinstance(step, HoldNamespaces)]


def commands(steps: Plan) -> Iterator[tuple[Word, ...]]:
    """Yield every command line of a plan."""
    for step in script.flat(steps):
        if isinstance(step, HoldNamespaces):
            yield from (command.argv for command in step.setup)
        if isinstance(step, HoldNamespaces | StartProcess):
            yield step.argv


def test_places() -> None:
    """All that a run leaves is below one folder."""
    found = (ROOT.path("spark1", "ray"), ROOT.ray_token, ROOT.api_key)

    assert (f"{STATE}/spark1/ray", f"{STATE}/ray-token", f"{STATE}/api-key") == found


def test_probe() -> None:
    """The probe is run by the Python that has Ray, found on the node's PATH."""
    assert ("python", "/opt/spark/docker/probe.py") == ROOT.probe


def test_trace() -> None:
    """A service is found by its number, and proved by its environment."""
    expected = ProcessHandle(
        place="spark2",
        service="serve",
        pid_file=f"{STATE}/spark2/serve.pid",
        mark=("SPARK_CLUSTER_SERVICE", f"{STATE}/spark2/serve"),
        log=f"{STATE}/spark2/serve.log",
    )

    assert expected == ROOT.handle("spark2", "serve")


def test_service() -> None:
    """A service leaves the terminal, writes its number, enters its node, and says whose it is."""
    step = ROOT.start(SPEC, "Start Ray (head)")
    launch = 'echo "$$" >"$1"; shift; exec "$@"'
    argv = (
        *("setsid", "/bin/sh", "-c", launch, "launch", f"{STATE}/spark1/ray.pid"),
        *("nsenter", "--target", NODE, *SPACES, "ray", "start"),
    )
    environment = (
        (
            "PATH",
            (
                f"/opt/spark/.rehearsal/venv/bin:{'/usr/local/sbin:/usr/local/bin'}"
                ":/usr/sbin:/usr/bin:/sbin:/bin"
            ),
        ),
        ("HOME", f"{STATE}/spark1/home"),
        ("TMPDIR", "/run/tmp"),
        ("VLLM_CACHE_ROOT", "/opt/spark/.rehearsal/cache"),
        ("LANG", "C.UTF-8"),
        ("SPARK_CLUSTER_NODE", f"{STATE}/spark1"),
        ("SPARK_CLUSTER_SERVICE", f"{STATE}/spark1/ray"),
        ("SPARK_CLUSTER_SPEC", SPEC.digest),
        ("VLLM_HOST_IP", "1.2.3.4"),
    )
    expected = StartProcess(
        title="Start Ray (head)",
        spec=SPEC,
        argv=argv,
        environment=environment,
        handle=ROOT.handle("spark1", "ray"),
    )

    assert expected == step


def test_inside() -> None:
    """A command in a node has the node's environment, then what it needs besides."""
    found = ROOT.run_inside(HEAD, ("ip", "a"), extra=(("KEY", "1"),))
    service = ROOT.start(SPEC, "").environment[:6]

    assert ("nsenter", "--target", NODE, *SPACES, "ip", "a") == found.argv
    assert service == found.environment[:6]
    assert ("VLLM_HOST_IP", "192.168.177.11") == found.environment[6]
    assert ("KEY", "1") == found.environment[-1]


def test_inside_is_of_the_node() -> None:
    """A command in the worker enters the worker, and has its address."""
    found = ROOT.run_inside(WORKER, ())
    variables = dict(found.environment)

    assert Command(place="spark2", argv=found.argv, environment=found.environment) == found
    assert number("spark2") == found.argv[2]
    assert "192.168.177.12" == variables["VLLM_HOST_IP"]


@pytest.mark.parametrize(
    "runtime, user",
    [(ROOT, ()), (ROOTLESS, ("--user", "--preserve-credentials"))],
    ids=["root", "rootless"],
)
def test_visit(runtime: Namespaces, user: tuple[str, ...]) -> None:
    """A command of this machine reaches the node's address from inside its network."""
    assert ("nsenter", "--target", NODE, *user, "--net") == runtime.network_prefix(HEAD)


@pytest.mark.parametrize(
    "runtime, made, entered",
    [
        (ROOT, (), ()),
        (
            ROOTLESS,
            ("--user", "--map-root-user"),
            ("--user", "--preserve-credentials"),
        ),
    ],
    ids=["root", "rootless"],
)
def test_holders(runtime: Namespaces, made: tuple[str, ...], entered: tuple[str, ...]) -> None:
    """The link is made first, in a user namespace without root; each node is made on the link."""
    on_link = ("nsenter", "--target", LINK, *entered, "--mount", "--net")
    of_node = ("unshare", *SPACES, "--fork", "--kill-child")
    starts = [step.argv[: step.argv.index("/bin/sh")] for step in holders(runtime)]

    assert [
        ("setsid", "unshare", *made, "--mount", "--net"),
        ("setsid", *on_link, *of_node),
        ("setsid", *on_link, *of_node),
    ] == starts


def test_rootless_commands_enter_the_user_namespace() -> None:
    """Without root no command works outside the user namespace, so none is there."""
    lines = [line for line in commands(plans.up(REHEARSAL, ROOTLESS)) if "nsenter" in line]
    outside = [line for line in lines if "--user" not in line]

    assert (30, []) == (len(lines), outside)


def test_every_node_has_its_own_port() -> None:
    """A worker that is made alone is plugged where it would be plugged with the others."""
    steps = script.flat(ROOT.prepare((WORKER,)))
    (_, node) = [step for step in steps if isinstance(step, HoldNamespaces)]
    ports = {word for command in node.setup for word in command.argv if str(word)[:4] == "port"}

    assert ("spark2", {"port1"}) == (node.place, ports)


def test_release() -> None:
    """All processes of all nodes end before any folder goes."""
    name = "SPARK_CLUSTER_NODE"
    expected = (
        KillLeftovers(
            place="spark1", title="Kill leftover processes", name=name, folder=f"{STATE}/spark1"
        ),
        KillLeftovers(
            place="spark2", title="Kill leftover processes", name=name, folder=f"{STATE}/spark2"
        ),
        RemoveFolder(place="spark1", path=f"{STATE}/spark1"),
        RemoveFolder(place="spark2", path=f"{STATE}/spark2"),
    )

    assert expected == ROOT.release(REHEARSAL.nodes)


def test_end() -> None:
    """The link ends last, and the run state goes with it."""
    name = "SPARK_CLUSTER_NODE"
    expected = (
        KillLeftovers(
            place="link", title="Kill leftover processes", name=name, folder=f"{STATE}/link"
        ),
        RemoveFolder(place="link", path=STATE),
    )

    assert expected == ROOT.end()


def test_host() -> None:
    """A node is asked from inside, with the variables of its services and nothing else."""
    host = ROOT.host(HEAD)

    assert ("spark1", "") == (host.name, host.ssh_host)
    assert ("env", "-i") == host.shell[:2]
    assert ("HOME=/opt/spark/.state/rehearsal/spark1/home") in host.shell
    assert ("nsenter", "--target", NODE, *SPACES, "sh", "-s") == host.shell[-10:]


def test_preflight() -> None:
    """Namespaces have no image whose containers could be examined."""
    assert ((), True) == (ROOT.preflight, ROOT.is_virtual)
