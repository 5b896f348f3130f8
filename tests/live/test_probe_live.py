"""`inv probe` on real hosts: env files of a cluster, and drift after an address has changed."""

from collections.abc import Iterator

import pytest

from tests.live import examined
from tests.live.examined import NAMES, OFFICE, RJ45
from tests.live.hosts import NETWORK
from tests.live.lan import Site
from tests.live.machine import INTERFACE

pytestmark = pytest.mark.live

CLUSTER = ("--cluster", "mine")
SPARK2 = f"""\
# probe: spark1 is the head
ROLE=worker

# probe: of {INTERFACE}, in {NETWORK}.0/24
HOST_IP={NETWORK}.12

# probe: {INTERFACE} reaches spark1 at {NETWORK}.11
ETH_IF={INTERFACE}

# probe: no RDMA device: TCP sockets only
IB_IF=

# probe: from the command line
SSH_HOST=spark2
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two hosts in two networks."""
    with examined.sited(tmp_path_factory.mktemp("site")) as hosts:
        yield hosts


def test_probe(site: Site) -> None:
    """Hosts are asked over two connections each; their files hold until an address moves."""
    before = [examined.connections(host) for host in site.lan.hosts]
    written = site.inv("probe", *CLUSTER, "--write", "--", *NAMES)
    after = [examined.connections(host) for host in site.lan.hosts]
    file = site.tree / "env/mine/spark2.env"
    again = site.inv("probe", *CLUSTER)
    loaded = site.inv("config", *CLUSTER)
    address = f"address del {{}}.12/24 dev {INTERFACE}\naddress add {{}}.22/24 dev {INTERFACE}\n"
    site.lan.hosts[1].run(["ip", "-batch", "-"], input=address.format(*[NETWORK] * 2), check=True)
    moved = site.inv("probe", *CLUSTER, "--check")

    assert (0, SPARK2) == (written.code, file.read_text("utf-8"))
    assert [2, 2] == [last - first for last, first in zip(after, before, strict=True)]
    assert (0, "The env files match the machines.") == (
        again.code,
        again.out.splitlines()[-1],
    )
    assert 0 == loaded.code
    place = "env/mine/spark2.env:5: HOST_IP"
    assert (
        1,
        f"{place}: is {NETWORK}.12, the interface has {NETWORK}.22\n",
    ) == (moved.code, moved.out)


def test_machine_without_an_answer(site: Site) -> None:
    """A machine that does not answer is reported, and nothing is written."""
    done = site.inv("probe", "--cluster", "other", "--write", "--", "spark1", f"{OFFICE}.99")

    assert (4, False) == (done.code, (site.tree / "env/other").exists())
    assert [f"{OFFICE}.99"] == [
        line.partition(":")[0] for line in done.err.splitlines() if "does not answer" in line
    ]


def test_configured_network(site: Site) -> None:
    """If two networks connect the hosts, the one in their files is right."""
    for name, number in zip(NAMES, (11, 12), strict=True):
        (site.tree / f"env/{name}.env").write_text(
            f"ROLE={'head' if number == 11 else 'worker'}\n"
            f"HOST_IP={OFFICE}.{number}\nETH_IF={RJ45}\nSSH_HOST={name}\n",
            "utf-8",
        )

    assert 0 == site.inv("probe", "--check").code
