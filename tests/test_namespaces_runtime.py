"""The process runtime: paths, handles and commands, as root and without root."""

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
MARK = "SPARK_CLUSTER_NODE"


def number(place: str) -> MarkedPid:
    """Return the number of the process that holds the namespaces of a place."""
    return MarkedPid(f"{STATE}/{place}/init.pid", (MARK, f"{STATE}/{place}"))


LINK, NODE = number("link"), number("spark1")
NODE_SPACES = ("--net", "--mount", "--uts", "--ipc", "--pid")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SPEC = RunSpec(
    node="spark1", service="ray", argv=("ray", "start"), environment=(("VLLM_HOST_IP", "1.2.3.4"),)
)


def leftovers(place: str) -> KillLeftovers:
    """Return the step that kills all processes of a place."""
    title = "Kill leftover processes"
    return KillLeftovers(place=place, title=title, name=MARK, folder=f"{STATE}/{place}")


def holders(runtime: Namespaces) -> list[HoldNamespaces]:
    """Return the steps that start the holders of the link and the nodes."""
    steps = script.flat(runtime.prepare(REHEARSAL.nodes))
    return [step for step in steps if isinstance(step, HoldNamespaces)]


def commands(plan: Plan) -> Iterator[tuple[Word, ...]]:
    """Yield every command line of a plan."""
    for step in script.flat(plan):
        if isinstance(step, HoldNamespaces):
            yield from (command.argv for command in step.setup)
        if isinstance(step, HoldNamespaces | StartProcess):
            yield step.argv


def test_paths() -> None:
    """All run state is below one folder."""
    paths = (ROOT.path("spark1", "ray"), ROOT.ray_token, ROOT.api_key)

    assert (f"{STATE}/spark1/ray", f"{STATE}/ray-token", f"{STATE}/api-key") == paths


def test_probe() -> None:
    """The probe is run by the Python with Ray, which is on the node's PATH."""
    assert ("python", "/opt/spark/docker/probe.py") == ROOT.probe


def test_handle() -> None:
    """A service is found by its process number and verified by its environment."""
    expected = ProcessHandle(
        place="spark2",
        service="serve",
        pid_file=f"{STATE}/spark2/serve.pid",
        mark=("SPARK_CLUSTER_SERVICE", f"{STATE}/spark2/serve"),
        log=f"{STATE}/spark2/serve.log",
    )

    assert expected == ROOT.handle("spark2", "serve")


def test_start() -> None:
    """A service leaves the terminal, writes its number, enters its node and carries marks."""
    step = ROOT.start(SPEC, "Start Ray (head)")
    launch = 'echo "$$" >"$1"; shift; exec "$@"'
    argv = (
        *("setsid", "/bin/sh", "-c", launch, "launch", f"{STATE}/spark1/ray.pid"),
        *("nsenter", "--target", NODE, *NODE_SPACES, "ray", "start"),
    )
    environment = (
        ("PATH", f"/opt/spark/.rehearsal/venv/bin:{PATH}"),
        ("HOME", f"{STATE}/spark1/home"),
        ("TMPDIR", "/run/tmp"),
        ("VLLM_CACHE_ROOT", "/opt/spark/.rehearsal/cache"),
        ("LANG", "C.UTF-8"),
        (MARK, f"{STATE}/spark1"),
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


def test_run_inside() -> None:
    """A command in a node has the node's environment, then its extra variables."""
    command = ROOT.run_inside(HEAD, ("ip", "a"), extra=(("KEY", "1"),))
    service = ROOT.start(SPEC, "").environment[:6]

    assert ("nsenter", "--target", NODE, *NODE_SPACES, "ip", "a") == command.argv
    assert service == command.environment[:6]
    assert ("VLLM_HOST_IP", "192.168.177.11") == command.environment[6]
    assert ("KEY", "1") == command.environment[-1]


def test_run_inside_the_worker() -> None:
    """A command in the worker enters the worker and has the worker's address."""
    command = ROOT.run_inside(WORKER, ())
    variables = dict(command.environment)

    assert Command(place="spark2", argv=command.argv, environment=command.environment) == command
    assert number("spark2") == command.argv[2]
    assert "192.168.177.12" == variables["VLLM_HOST_IP"]


@pytest.mark.parametrize(
    "runtime, user",
    [(ROOT, ()), (ROOTLESS, ("--user", "--preserve-credentials"))],
    ids=["root", "rootless"],
)
def test_network_prefix(runtime: Namespaces, user: tuple[str, ...]) -> None:
    """A command of this machine reaches the node's address from inside its network."""
    assert ("nsenter", "--target", NODE, *user, "--net") == runtime.network_prefix(HEAD)


@pytest.mark.parametrize(
    "runtime, unshare_user, enter_user",
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
def test_holders(
    runtime: Namespaces, unshare_user: tuple[str, ...], enter_user: tuple[str, ...]
) -> None:
    """The link comes first, in a user namespace without root; each node is made on the link."""
    on_link = ("nsenter", "--target", LINK, *enter_user, "--mount", "--net")
    node = ("unshare", *NODE_SPACES, "--fork", "--kill-child")
    starts = [step.argv[: step.argv.index("/bin/sh")] for step in holders(runtime)]

    assert [
        ("setsid", "unshare", *unshare_user, "--mount", "--net"),
        ("setsid", *on_link, *node),
        ("setsid", *on_link, *node),
    ] == starts


def test_rootless_commands_enter_the_user_namespace() -> None:
    """Without root, every command enters the user namespace: none works outside it."""
    lines = [line for line in commands(plans.up(REHEARSAL, ROOTLESS)) if "nsenter" in line]
    outside = [line for line in lines if "--user" not in line]

    assert (30, []) == (len(lines), outside)


def test_port_of_a_single_worker() -> None:
    """A worker that is made alone gets the bridge port that it would get among all nodes."""
    steps = script.flat(ROOT.prepare((WORKER,)))
    (_, node) = [step for step in steps if isinstance(step, HoldNamespaces)]
    ports = {word for command in node.setup for word in command.argv if str(word)[:4] == "port"}

    assert ("spark2", {"port1"}) == (node.place, ports)


def test_release() -> None:
    """All processes of all nodes are killed before any folder is removed."""
    expected = (
        leftovers("spark1"),
        leftovers("spark2"),
        RemoveFolder(place="spark1", path=f"{STATE}/spark1"),
        RemoveFolder(place="spark2", path=f"{STATE}/spark2"),
    )

    assert expected == ROOT.release(REHEARSAL.nodes)


def test_end() -> None:
    """The link is removed last, together with the run state."""
    assert (leftovers("link"), RemoveFolder(place="link", path=STATE)) == ROOT.end()


def test_host() -> None:
    """A question runs inside a node, with the variables of its services alone."""
    host = ROOT.host(HEAD)

    assert ("spark1", "") == (host.name, host.ssh_host)
    assert ("env", "-i") == host.shell[:2]
    assert ("HOME=/opt/spark/.state/rehearsal/spark1/home") in host.shell
    assert ("nsenter", "--target", NODE, *NODE_SPACES, "sh", "-s") == host.shell[-10:]


def test_preflight() -> None:
    """Namespaces have no image, so there is no preflight in a container."""
    assert ((), True) == (ROOT.preflight, ROOT.is_virtual)
