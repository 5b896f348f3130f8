"""What must be so on a node before its container starts, and the remedy for all that is not."""

from collections.abc import Iterator

from cluster.commands import ray
from cluster.errors import Problem
from cluster.node import Cluster, Node
from cluster.plan.question import LONGEST_BODY, Question, fields
from cluster.preflight import links
from cluster.preflight.facts import Facts, facts
from cluster.preflight.site import Site

Ports = dict[int, tuple[str, str]]
"""What each port is, and how to do without it."""
DISK = 2_000_000_000
"""Free bytes for logs and compile caches; the image is there already."""
MIB = 1 << 20
NO_GPUS = ("could not select device driver", "CDI device")
"""What Docker says when the NVIDIA Container Toolkit is not there or not set up (moby/daemon)."""


def preflight(cluster: Cluster, node: Node, *, dashboard: bool = True) -> Question:
    """Ask what a container of the cluster's image would find on a node.

    `argv` are the words after docker/preflight.py, which runs in a throw-away container with the
    network, devices, shared memory and limits of the real one, while the real one does not run.
    What Docker said when it refused that container counts as an answer.
    `dashboard` tells whether the dashboard is installed; the settings tell whether it is wanted.
    """
    site = Site(cluster=cluster, node=node)
    ports = _ports(site, dashboard=cluster.dashboard and dashboard)
    return Question(
        node=node,
        hope=f"{node.name} can run Ray",
        argv=("--ports", *(str(port) for port in ports)) if ports else (),
        problems=lambda text: tuple(_problems(site, ports, text)),
    )


def _ports(site: Site, *, dashboard: bool) -> Ports:
    """Return the ports that the head listens on by its settings."""
    if site.node.role != "head":
        return {}
    ports = {site.cluster.head_port: ("HEAD_PORT", "write another HEAD_PORT")}
    if dashboard:
        ports[ray.DASHBOARD_PORT] = ("Ray's dashboard", "write DASHBOARD=false")
    return ports


def _problems(site: Site, ports: Ports, text: str) -> Iterator[Problem]:
    found = facts(fields(text))
    if not found:
        yield _mute(site, text)
        return
    yield from _ray(site, found)
    yield from links.ethernet(site, found)
    if site.node.ib_if:
        yield from links.rdma(site, found)
    yield from _taken(site, ports, found)
    yield from _shared_memory(site, found)
    yield from _disk(site, found)


def _mute(site: Site, text: str) -> Problem:
    """Say why there are no facts: Docker refused the container, or the image is another one."""
    said = text.strip().rpartition("\n")[2][:LONGEST_BODY] or "no answer"
    if links.DEVICE_FILES in said:
        return links.no_rdma(site)
    if any(words in said for words in NO_GPUS):
        return _no_gpus(site, said)
    return site.problem(f"{site.cluster.image} cannot examine the node: {said}", site.renew)


def _no_gpus(site: Site, said: str) -> Problem:
    cdi = site.cluster.accelerator == "cdi"
    words = "cdi generate --output=/etc/cdi/nvidia.yaml" if cdi else "runtime configure"
    again = (
        f"{site.on(f'sudo nvidia-ctk {words}')}, then {site.on('sudo systemctl restart docker')}"
    )
    remedy = f"{again}; or write another ACCELERATOR in {site.shared_file}"
    return site.problem(f"Docker cannot give containers GPUs: {said}", remedy)


def _ray(site: Site, found: Facts) -> Iterator[Problem]:
    if found.ray_error:
        what = f"{site.cluster.image} cannot import Ray: {found.ray_error}"
        yield site.problem(what, site.renew)


def _taken(site: Site, ports: Ports, found: Facts) -> Iterator[Problem]:
    for port, (whose, without) in ports.items():
        if why := found.taken.get(port):
            who = f"{site.on(f'sudo ss -ltnp sport = :{port}')} shows who does"
            what = f"cannot listen on port {port} ({whose}): {why}"
            yield site.problem(what, f"{who}; or {without} in {site.shared_file}")


def _shared_memory(site: Site, found: Facts) -> Iterator[Problem]:
    """Compare as Ray does, which refuses or goes to disk when /dev/shm has too little."""
    wanted = site.cluster.object_store_memory
    if found.shm_free < wanted:
        free, total = found.shm_free // MIB, found.shm_total // MIB
        has = f"shared memory has {free} of {total} MiB free"
        what = f"{has}, and OBJECT_STORE_MEMORY is {-(-wanted // MIB)} MiB"
        yield site.problem(what, _more_shared_memory(site))


def _more_shared_memory(site: Site) -> str:
    smaller = f"a smaller OBJECT_STORE_MEMORY in {site.shared_file}"
    if site.cluster.privileged or site.cluster.shm_size is None:
        return f"{site.on('ls -lS /dev/shm')} shows what fills it; or write {smaller}"
    return f"write a larger SHM_SIZE or {smaller}"


def _disk(site: Site, found: Facts) -> Iterator[Problem]:
    if found.disk < DISK:
        has = f"Docker has {found.disk / 1e9:.1f} GB of free disk space"
        remedy = f"{site.on('docker system prune')} removes what no container uses"
        yield site.problem(f"{has}, {DISK / 1e9:g} GB needed", remedy)
