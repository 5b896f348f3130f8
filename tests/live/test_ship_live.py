"""`inv ship` between real engines: what is copied, over which link, and what failures leave."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.clone import RunResult
from tests.live import hosts
from tests.live.hosts import Lan
from tests.live.machine import Machine
from tests.live.rehearsal import ROOT

pytestmark = [pytest.mark.live, pytest.mark.containers]

MEGA = 1_000_000
NAMES = ("spark1", "spark2", "spark3")
IMPORT = """
head -c "$1" /dev/urandom >"$2/random"
tar -C "$2" -c random | docker import --change 'ENV SHIP=1' --change 'CMD ["sh"]' - "$3"
rm "$2/random"
"""
# /proc has the processes of this host alone.
KILL_LOAD = """
for process in /proc/[0-9]*; do
  if [ "$(tr '\\0' ' ' <"$process/cmdline")" = "docker load " ]; then
    kill -KILL "${process#/proc/}"
  fi
done 2>/dev/null
"""
COMMANDS = "for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$file; echo; done 2>/dev/null"


@dataclass(frozen=True, kw_only=True)
class Site:
    """The repository of a user of these hosts, with a cluster of them."""

    tree: Path
    lan: Lan

    def command(self, *words: str) -> list[str]:
        """Return the command line of a task."""
        return ["env", "--chdir", str(self.tree), sys.executable, "-m", "invoke", *words]

    def inv(self, host: Machine, *words: str) -> RunResult:
        """Run a task on a host, and wait for the end."""
        done = host.run(self.command(*words))
        return RunResult(done.returncode, done.stdout, done.stderr)

    def ship(self, host: Machine, *words: str) -> tuple[int, dict[str, Any], str]:
        """Run `inv ship --json`; return the exit code, the result of each node, the last line."""
        shipped = self.inv(host, "ship", "--json", *words)
        assert shipped.out, shipped.err
        nodes = json.loads(shipped.out)["nodes"]
        last = shipped.err.strip().rpartition("\n")[2]
        return shipped.code, {node["node"]: node["result"] for node in nodes}, last


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Three hosts, a laptop with an engine, and the repository."""
    tree = tmp_path_factory.mktemp("tree")
    for name in ("cluster", "docker"):
        shutil.copytree(ROOT / name, tree / name)
    shutil.copy(ROOT / "tasks.py", tree)
    with hosts.made(tmp_path_factory.mktemp("lan"), NAMES, control_engine=True) as lan:
        _write(tree / "env", lan)
        _write(tree / "env" / "laptop", lan, subnet="192.168.177.8/29")
        _write(tree / "env" / "jump", lan, alias="far-spark2")
        yield Site(tree=tree, lan=lan)


def _write(folder: Path, lan: Lan, *, subnet: str = "", alias: str = "spark2") -> None:
    """Write env files; the address of the laptop is outside a small SUBNET."""
    folder.mkdir()
    (folder / "cluster.env").write_text(f"SUBNET={subnet}\n" if subnet else "", "utf-8")
    for host in lan.hosts:
        role = "head" if host.name == "spark1" else "worker"
        ssh_host = alias if host.name == "spark2" else host.name
        text = f"ROLE={role}\nHOST_IP={host.address}\nETH_IF=enp1s0f1np1\nSSH_HOST={ssh_host}\n"
        (folder / f"{host.name}.env").write_text(text, "utf-8")


def import_image(host: Machine, name: str, size: int) -> str:
    """Import an image of random bytes on a host; return its ID."""
    words = (str(size), str(host.home), name)
    host.run(["sh", "-e", "-c", IMPORT, "import", *words], check=True)
    return identity(host, name)


def identity(host: Machine, name: str) -> str:
    """Return the ID of a host's image; empty if there is none."""
    return host.docker("image", "ls", "--no-trunc", "--quiet", name)


def received(lan: Lan) -> dict[str, int]:
    """Return how many bytes each host has received on the fast link."""
    return {host.name: host.interface_bytes()[0] for host in lan.hosts}


def until(host: Machine, growth: int) -> None:
    """Wait until a host has received `growth` more bytes."""
    limit, end = host.interface_bytes()[0] + growth, time.monotonic() + 60
    while host.interface_bytes()[0] < limit:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_two_nodes(site: Site) -> None:
    """Both nodes get the image over the fast link; the second time there is nothing to do."""
    spark1, spark2, spark3 = site.lan.hosts
    image = import_image(spark1, "vllm-node:latest", 20 * MEGA)
    before = received(site.lan)
    first = site.ship(spark1)
    after = received(site.lan)
    again = site.inv(spark1, "ship")
    table = """\
node    route                  result  sent  seconds  MB/s  saved
spark1  this machine           here
spark2  fabric 192.168.177.12  equal
spark3  fabric 192.168.177.13  equal
"""

    assert (0, {"spark1": "here", "spark2": "shipped", "spark3": "shipped"}) == first[:2]
    assert [image, image] == [identity(host, "vllm-node:latest") for host in (spark2, spark3)]
    assert all(after[name] - before[name] > 20 * MEGA for name in ("spark2", "spark3"))
    assert (0, table) == again[:2]


def test_one_tag(site: Site) -> None:
    """A name without a tag is one image, not all images of that name."""
    spark1, spark2, _ = site.lan.hosts
    import_image(spark1, "one:latest", MEGA)
    import_image(spark1, "one:other", MEGA)

    assert 0 == site.ship(spark1, "--image", "one", "--node", "spark2")[0]
    assert "latest" == spark2.docker("image", "ls", "--format", "{{.Tag}}", "one")


def test_configuration(site: Site) -> None:
    """The same layers with different variables are a different image."""
    spark1, spark2, _ = site.lan.hosts
    import_image(spark1, "config:1", MEGA)
    first = site.ship(spark1, "--image", "config:1", "--node", "spark2")
    file = "FROM config:1\nENV SHIP=2\n"
    spark1.run(["docker", "build", "--tag", "config:1", "-"], input=file, check=True)
    second = site.ship(spark1, "--image", "config:1", "--node", "spark2")

    assert [(0, {"spark2": "shipped"})] * 2 == [first[:2], second[:2]]
    assert identity(spark1, "config:1") == identity(spark2, "config:1")


def test_an_engine_is_down(site: Site) -> None:
    """The other node gets the image; a rerun ships to the one that failed."""
    spark1, _, spark3 = site.lan.hosts
    import_image(spark1, "down:1", MEGA)
    spark3.stop_engine()
    try:
        failed = site.ship(spark1, "--image", "down:1")
    finally:
        spark3.start_engine()
    again = site.ship(spark1, "--image", "down:1")
    sentence = (
        "spark3: the Docker engine is not running (`ssh -t spark3 'sudo systemctl start docker'`)"
    )

    assert (4, {"spark1": "here", "spark2": "shipped", "spark3": "failed"}, sentence) == failed
    assert (0, {"spark1": "here", "spark2": "equal", "spark3": "shipped"}) == again[:2]


def test_the_receiver_is_killed(site: Site) -> None:
    """A node whose `docker load` is killed keeps its old image; the other gets the new one."""
    spark1, spark2, spark3 = site.lan.hosts
    old = import_image(spark1, "killed:1", MEGA)
    site.ship(spark1, "--image", "killed:1")
    new = import_image(spark1, "killed:1", 150 * MEGA)
    with spark1.start(site.command("ship", "--json", "--image", "killed:1")) as run:
        until(spark2, 30 * MEGA)
        spark2.run(["sh", "-c", KILL_LOAD])
        out, err = run.communicate(timeout=120)
    results = {node["node"]: node["result"] for node in json.loads(out)["nodes"]}
    kept = identity(spark2, "killed:1")
    sentence = (
        "spark2: `docker load` of killed:1 failed: Killed "
        "(the old image is unchanged; retry: `inv ship --node spark2`)"
    )

    assert (4, sentence) == (run.returncode, err.strip().rpartition("\n")[2])
    assert {"spark1": "here", "spark2": "failed", "spark3": "shipped"} == results
    assert (old, new) == (kept, identity(spark3, "killed:1"))
    assert (0, {"spark2": "shipped"}) == site.ship(
        spark1, "--image", "killed:1", "--node", "spark2"
    )[:2]


def test_interrupted(site: Site) -> None:
    """After Ctrl-C the old images are there, and no process of the copy runs."""
    spark1, spark2, spark3 = site.lan.hosts
    old = import_image(spark1, "stopped:1", MEGA)
    site.ship(spark1, "--image", "stopped:1")
    import_image(spark1, "stopped:1", 150 * MEGA)
    with spark1.start(site.command("ship", "--image", "stopped:1")) as run:
        until(spark2, 30 * MEGA)
        program = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text("utf-8").split()
        subprocess.run(["kill", "-s", str(int(signal.SIGINT)), *program], check=True)
        _, err = run.communicate(timeout=60)
    commands = spark1.run(["sh", "-c", COMMANDS]).stdout.splitlines()

    assert (130, "interrupted") == (run.returncode, err.strip().rpartition("\n")[2])
    assert [old, old] == [identity(host, "stopped:1") for host in (spark2, spark3)]
    assert [] == [line for line in commands if line.startswith(("docker save ", "ssh "))]


def test_around_the_jump(site: Site) -> None:
    """A host with a ProxyJump in the SSH configuration still gets its image directly."""
    spark1, spark2, _ = site.lan.hosts
    shell = spark1.home / ".ssh"
    ssh_config = (
        f"Host far-spark2\n  HostName {spark2.address}\n  HostKeyAlias two\n  ProxyJump spark3\n"
    )
    with (shell / "config").open("a", encoding="utf-8") as config:
        config.write(ssh_config)
    keys = (shell / "known_hosts").read_text("utf-8").splitlines()
    with (shell / "known_hosts").open("a", encoding="utf-8") as file:
        file.writelines(
            line.replace(spark2.address, "two") + "\n" for line in keys if spark2.address in line
        )
    import_image(spark1, "jump:1", 20 * MEGA)
    before = received(site.lan)
    shipped = site.ship(spark1, "--image", "jump:1", "--cluster", "jump", "--node", "spark2")
    after = received(site.lan)

    assert (0, {"spark2": "shipped"}) == shipped[:2]
    assert after["spark2"] - before["spark2"] > 20 * MEGA
    assert after["spark3"] - before["spark3"] < MEGA


def test_from_a_laptop(site: Site) -> None:
    """A machine that is not on the fast link ships to SSH_HOST of each node, with a note."""
    import_image(site.lan.control, "laptop:1", MEGA)
    words = ("--image", "laptop:1", "--cluster", "laptop")
    shipped = site.inv(site.lan.control, "ship", *words)
    again = site.inv(site.lan.control, "ship", *words)
    note = (
        "this machine has no address in 192.168.177.8/29: "
        "the image is sent to SSH_HOST, not over the fast link"
    )
    table = """\
node    route       result  sent  seconds  MB/s  saved
spark1  ssh spark1  equal
spark2  ssh spark2  equal
spark3  ssh spark3  equal
"""

    assert (0, 1) == (shipped.code, shipped.err.splitlines().count(note))
    assert (0, table) == (again.code, again.out)


def test_dry_run(site: Site) -> None:
    """The output of `--dry` has the same effect when a shell runs it."""
    spark1, spark2, spark3 = site.lan.hosts
    image = import_image(spark1, "dry:1", MEGA)
    text = site.inv(spark1, "--dry", "ship", "--image", "dry:1").out
    before = [identity(host, "dry:1") for host in (spark2, spark3)]
    done = spark1.run(["sh", "-e", "-c", text])

    assert ["", ""] == before
    assert 0 == done.returncode
    assert [image, image] == [identity(host, "dry:1") for host in (spark2, spark3)]


def test_no_image(site: Site) -> None:
    """An image that this machine lacks is refused."""
    refused = site.inv(site.lan.host("spark1"), "ship", "--image", "nothing")
    sentence = "nothing:latest: is not on this machine (`inv build`)"

    assert (3, "", sentence) == (refused.code, refused.out, refused.err.splitlines()[-1])


def test_another_architecture(site: Site) -> None:
    """An image for other processors is refused before a byte is sent."""
    spark1 = site.lan.host("spark1")
    architecture = spark1.docker("version", "--format", "{{.Server.Arch}}")
    foreign = "amd64" if architecture == "arm64" else "arm64"
    build = ["docker", "build", f"--platform=linux/{foreign}", "--tag", "foreign:1", "-"]
    spark1.run(build, input="FROM scratch\nLABEL a=b\n", env={"DOCKER_BUILDKIT": "1"}, check=True)
    sentence = (
        f"spark2: foreign:1 is built for {foreign}, but the node is {architecture} "
        f"(`inv build --platform linux/{architecture}`)"
    )

    assert (4, {"spark2": "failed"}, sentence) == site.ship(
        spark1, "--image", "foreign:1", "--node", "spark2"
    )
