"""The flags of `inv ship`: chains, compression, plans, old images; and runs side by side."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.live.damage import flipped
from tests.live.machine import Machine
from tests.live.ships import MEGA, Site, build, identity, new_site

pytestmark = pytest.mark.live

NAMES = ("spark1", "spark2", "spark3", "spark4")
SHIPPED = {"spark1": "here"} | dict.fromkeys(NAMES[1:], "shipped")
# /proc has the processes of this host alone.
KILL_SSH = """
for process in /proc/[0-9]*; do
  case $(tr '\\0' ' ' <"$process/cmdline") in "ssh -T "*) kill "${process#/proc/}" ;; esac
done 2>/dev/null
"""
ZEROS = (
    'head -c "$1" /dev/zero >"$2/zeros"; tar -C "$2" -c zeros | docker import - "$3"; rm "$2/zeros"'
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A host that ships to three others."""
    with new_site(tmp_path_factory.mktemp("site"), NAMES) as new:
        yield new


def identities(site: Site, name: str) -> list[str]:
    """Return the ID of this image on each host but the first."""
    return [identity(host, name) for host in site.lan.hosts[1:]]


def unnamed(host: Machine) -> list[str]:
    """Return the images of a host that have no name."""
    return host.docker("image", "ls", "--no-trunc", "--quiet", "--filter", "dangling=true").split()


def test_chain(site: Site) -> None:
    """In a chain the image leaves this machine once, whatever the number of nodes."""
    spark1 = site.lan.hosts[0]
    image = build(spark1, "chain:1", 20 * MEGA)
    before = spark1.interface_bytes()[1]
    done = site.ship("chain:1", "--via", "chain")
    sent = spark1.interface_bytes()[1] - before

    assert (0, SHIPPED) == (done.code, done.results)
    assert [image] * 3 == identities(site, "chain:1")
    assert 20 * MEGA <= sent <= 22 * MEGA


def test_a_node_of_a_chain_fails(site: Site) -> None:
    """The nodes after one that cannot load the image still get it."""
    image = build(site.lan.hosts[0], "fails:1", 20 * MEGA)
    with flipped(site.lan.host("spark3"), 10 * MEGA):
        done = site.ship("fails:1", "--via", "chain")

    assert (4, SHIPPED | {"spark3": "failed"}) == (done.code, done.results)
    assert [image, "", image] == identities(site, "fails:1")


def test_a_chain_breaks(site: Site) -> None:
    """A node that is cut off from the one before gets its own stream in the same run."""
    image = build(site.lan.hosts[0], "breaks:1", 60 * MEGA)
    with site.shipping("breaks:1", "--via", "chain") as run:
        run.until(site.lan.host("spark3"), 5 * MEGA)
        site.lan.host("spark2").run(["sh", "-c", KILL_SSH])
        done = run.wait()

    assert (0, SHIPPED) == (done.code, done.results)
    assert [image] * 3 == identities(site, "breaks:1")


@pytest.mark.parametrize("via", ["star", "chain"])
def test_compressed(site: Site, via: str) -> None:
    """A compressible image takes a small part of its bytes."""
    spark1, name = site.lan.hosts[0], f"zeros-{via}:1"
    words = (str(50 * MEGA), str(spark1.home), name)
    spark1.run(["sh", "-e", "-c", ZEROS, "import", *words], check=True)
    done = site.ship(name, "--compress", "zstd", "--via", via)

    assert (0, SHIPPED) == (done.code, done.results)
    assert [identity(spark1, name)] * 3 == identities(site, name)
    assert max(done.sent.values()) < MEGA


def test_plan(site: Site) -> None:
    """A plan shows what each node lacks and copies nothing; it exits with 1 if there is work."""
    spark1 = site.lan.hosts[0]
    build(spark1, "plan:1", MEGA)
    site.ship("plan:1", "--node", "spark2")
    planned = spark1.run([*site.command("plan:1"), "--plan"])
    before = identities(site, "plan:1")[1:]
    site.ship("plan:1")
    again = spark1.run([*site.command("plan:1"), "--plan"])
    first, second = (json.loads(plan.stdout)["nodes"] for plan in (planned, again))

    assert (1, 0) == (planned.returncode, again.returncode)
    assert ["here", "equal", "ship", "ship"] == [node["state"] for node in first]
    assert ["here", "equal", "equal", "equal"] == [node["state"] for node in second]
    assert ["", ""] == before


def test_prune(site: Site) -> None:
    """With --prune the old image is removed, unless a container uses it."""
    spark1, spark2, spark3, _ = site.lan.hosts
    old = build(spark1, "prune:1", MEGA)
    site.ship("prune:1")
    spark2.docker("create", "--name", "user", "prune:1", "sleep")
    build(spark1, "prune:1", MEGA)
    second = site.ship("prune:1")
    stayed = [old in unnamed(host) for host in (spark2, spark3)]
    spark2.docker("tag", old, "prune:1")
    spark3.docker("tag", old, "prune:1")
    done = site.ship("prune:1", "--prune")
    sentences = {line for line in done.errors.splitlines() if "old image" in line}

    assert [0, 0] == [second.code, done.code]
    assert [True, True] == stayed
    assert [True, False] == [old in unnamed(host) for host in (spark2, spark3)]
    assert {"spark2: kept 1 old image in use", "spark3: removed 1 old image"} == sentences


def test_two_at_once(site: Site) -> None:
    """Two runs from two clones do the same work twice, and do no harm."""
    spark1 = site.lan.hosts[0]
    image = build(spark1, "twice:1", 30 * MEGA, 20 * MEGA)
    clone = replace(site, tree=site.tree.with_name("clone"))
    shutil.copytree(site.tree, clone.tree)
    with site.shipping("twice:1") as first, clone.shipping("twice:1") as second:
        done = (first.wait(), second.wait())

    assert [0, 0] == [shipped.code for shipped in done]
    assert [image] * 3 == identities(site, "twice:1")


def test_built_meanwhile(site: Site) -> None:
    """The requested image arrives, even if a new build takes its name meanwhile."""
    spark1 = site.lan.hosts[0]
    first = build(spark1, "meanwhile:1", 60 * MEGA)
    with site.shipping("meanwhile:1") as run:
        run.until(site.lan.host("spark2"), 5 * MEGA)
        second = build(spark1, "meanwhile:1", MEGA)
        done = run.wait()
    arrived = identities(site, "meanwhile:1")
    again = site.ship("meanwhile:1")

    assert [(0, SHIPPED)] * 2 == [(shipped.code, shipped.results) for shipped in (done, again)]
    assert [first] * 3 == arrived
    assert [second] * 3 == identities(site, "meanwhile:1")
