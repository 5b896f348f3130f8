"""The images of an engine and how the machine is reached, from the answers of real machines."""

import json
import subprocess
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.facts import images
from cluster.facts.docker import Docker
from cluster.facts.facts import SHIPPING, Facts, FactsRequest, parse
from cluster.facts.images import Image, StoredImage
from cluster.facts.links import Interface, Links
from cluster.facts.storage import Disk
from tests.test_facts import NOTHING, run

CAPTURES = Path(__file__).parent / "captures"
OVERLAY2 = (CAPTURES / "ship/asked-overlay2.txt").read_text(encoding="utf-8")
CONTAINERD = (CAPTURES / "ship/asked-containerd.txt").read_text(encoding="utf-8")
INSPECTED: dict[str, Any] = {
    "Id": "sha256:11",
    "RepoTags": ["vllm-node:latest"],
    "RepoDigests": [],
    "Architecture": "arm64",
    "Os": "linux",
    "Size": 7,
    "Config": {"Cmd": ["bash"], "Env": ["PATH=/opt/venv/bin"], "Image": "sha256:10", "User": ""},
    "RootFS": {"Type": "layers", "Layers": ["sha256:aa", "sha256:bb"]},
}
IMAGE = Image(
    architecture="arm64",
    layers=("sha256:aa", "sha256:bb"),
    configuration='{"Cmd": ["bash"], "Env": ["PATH=/opt/venv/bin"]}',
)
STORED = StoredImage(id="sha256:11", tags=("vllm-node:latest",), image=IMAGE, size=7)
ENGINE = (
    '{"ServerVersion":"29.1.0","Architecture":"aarch64","DockerRootDir":"/var/lib/docker",'
    '"Driver":"overlay2","DriverStatus":null}\n'
)
DOCKER = Docker(version="29.1.0", architecture="arm64", store="overlay2", root="/var/lib/docker")


def answer(**parts: str) -> Facts:
    """Return the facts of a machine with an engine that answers these parts."""
    text = "".join(f"== {name}\n{part}\n" for name, part in ({"engine": ENGINE} | parts).items())
    return parse(f"{text}== clock\n\n== end\n")


def lines(inspected: list[dict[str, Any]]) -> str:
    """Return JSON as the Docker client prints it."""
    return json.dumps(inspected, indent=4, ensure_ascii=False) + "\n"


def test_overlay2() -> None:
    """An engine that unpacks at once, asked over SSH through a veth, whose speed is unknown."""
    facts = parse(OVERLAY2)
    address, client = IPv4Address("192.168.177.11"), IPv4Address("192.168.177.1")
    expected = Facts(
        machine=replace(NOTHING.machine, ssh_client=client, ssh_server=address, zstd=True),
        links=Links(
            interfaces=(
                Interface(
                    name="enp1s0f1np1",
                    kind="veth",
                    mac="a2:89:fa:a0:2c:dd",
                    addresses=(IPv4Interface("192.168.177.11/24"),),
                    ipv6=(IPv6Address("fe80::a089:faff:fea0:2cdd"),),
                ),
            ),
        ),
        docker=Docker(
            version="20.10.24+dfsg1",
            architecture="amd64",
            store="overlay2",
            root="/var/lib/docker",
            images=facts.docker.images,
        ),
        engine_disk=Disk(path="/var/lib/docker", free=65_982_205_952, total=270_553_174_016),
    )

    assert expected == facts
    assert facts.links.interfaces[0] == facts.links.holder(address)
    assert facts.links.speed(address) is None
    assert [(3, 1_719_654_879, True), (10, 2_246_209_590, True)] == [
        (len(stored.layers), stored.size, stored.dangling) for stored in facts.docker.images
    ]
    assert "spark-vllm-cluster.device" in facts.docker.images[1].labels


def test_containerd() -> None:
    """An engine with containerd's store lists the files of images that came by ship."""
    facts = parse(CONTAINERD)
    docker, machine = facts.docker, facts.machine

    assert ("28.5.2+dfsg4", "containerd", "/data") == (docker.version, docker.store, docker.root)
    assert (None, None, False) == (machine.ssh_client, machine.ssh_server, machine.zstd)
    assert facts.links.holder(machine.ssh_server) is None
    assert facts.links.speed(machine.ssh_server) is None
    assert [
        ("26b6", (), 0, ("unfinished",)),
        ("4403", (), 3, ("spark-vllm-cluster.device",)),
        ("ba24", (), 0, ()),
        ("c535", ("t:2",), 0, ()),
        ("fdb0", (), 2, ("spark-vllm-cluster.part",)),
    ] == [
        (stored.id[7:11], stored.tags, len(stored.blobs), stored.labels) for stored in docker.images
    ]


def test_nothing() -> None:
    """A machine that describes its engine alone has no other facts."""
    assert replace(NOTHING, docker=DOCKER) == answer()


def test_without_docker(tmp_path: Path) -> None:
    """On a machine without Docker the error is that it is not found."""
    for name in ("cat", "date", "mktemp", "rm", "timeout"):
        (tmp_path / name).symlink_to(Path("/usr/bin", name))
    text = FactsRequest(parts=SHIPPING).question.replace("$PATH:/usr/sbin:/sbin", "$PATH")
    done = subprocess.run(
        ["/bin/sh", "-s"],
        check=True,
        input=text,
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
    )

    assert "docker: not found" == parse(done.stdout).docker.error


@pytest.mark.parametrize(
    "listing, expected",
    [
        ("printf 'sha256:22\\nsha256:11\\nsha256:22\\n'", ("sha256:11 sha256:22", "")),
        ("true", ("", "")),
        ("echo no such engine >&2; false", ("", "docker image ls: no such engine")),
    ],
    ids=["two", "none", "failed"],
)
def test_list(listing: str, expected: tuple[str, str], tmp_path: Path) -> None:
    """Each image of the engine is inspected once; an engine that lists none is an error."""
    docker = tmp_path / "docker"
    docker.write_text(
        f"""\
#!/bin/sh
case "$1 $2" in
  "info --format") echo '{ENGINE.strip()}' ;;
  "image ls") {listing} ;;
  "image inspect") shift 2 && echo "$*" >{tmp_path}/inspected && echo '{json.dumps([INSPECTED])}' ;;
esac
""",
        encoding="utf-8",
    )
    docker.chmod(0o755)
    text = f"PATH={tmp_path}:$PATH\n{FactsRequest(parts=SHIPPING).question}"
    facts = parse(run(text).stdout).docker
    inspected = tmp_path / "inspected"

    assert expected == (
        inspected.read_text("utf-8").strip() if inspected.exists() else "",
        facts.error,
    )
    assert ((STORED,) if expected[0] else ()) == facts.images


@pytest.mark.parametrize(
    "text, error",
    [
        ("docker image ls: no answer", "docker image ls: no answer"),
        ("[1]", "docker: the answer of `docker image inspect` cannot be read"),
        ("[{", "docker: the answer of `docker image inspect` cannot be read"),
    ],
)
def test_no_list(text: str, error: str) -> None:
    """An engine whose images are not known has an error, and is not taken for an empty one."""
    assert error == answer(images=text).docker.error


def free(text: str) -> str:
    """Return what `df` prints about so many KiB."""
    title = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n"
    return f"{title}/dev/my disk 264212084 41955184 {text} /var/lib/docker\n"


@pytest.mark.parametrize(
    "text, expected",
    [
        (f"/var/lib/docker\n{free('3 38%')}", 3072),
        (f"/var/lib/docker\n{free('0 -')}", 0),
        ("/var/lib/docker\n", None),
        (f"/var/lib/docker\n{free('3 9%')}/var/lib/containerd\n", 3072),
        (f"/var/lib/docker\n{free('3 9%')}/var/lib/containerd\n{free('2 9%')}", 2048),
    ],
)
def test_free(text: str, expected: int | None) -> None:
    """The room is where an engine keeps its files; containerd has a folder of its own."""
    disk = answer(engine_disk=text).engine_disk

    assert expected == (disk.free if disk else None)


@pytest.mark.parametrize(
    "kind, expected",
    [
        ({}, 200_000),
        ({"linkinfo": {"info_kind": "bond"}}, 200_000),
        ({"linkinfo": {"info_slave_kind": "bond"}}, 200_000),
        ({"linkinfo": {"info_kind": "veth"}}, None),
        ({"linkinfo": {"info_kind": "bridge"}}, None),
    ],
)
def test_speed(kind: dict[str, Any], expected: int | None) -> None:
    """Only an interface with a cable somewhere has a speed."""
    address = {"family": "inet", "local": "192.168.177.12", "prefixlen": 24}
    name = "enp1s0f1np1"
    described = {"ifname": name, "link_type": "ether", "mtu": 1500, "flags": []}
    interfaces = lines([described | {"addr_info": [address, {"family": "inet"}]} | kind])
    speeds = (
        "/sys/class/net/enp1s0f1np1/speed:200000\n"
        "/sys/class/net/wlan0/speed:-1\n/sys/class/net/enP7s7/speed:10000\n"
    )
    facts = answer(
        addresses=interfaces.replace("\n", ""),
        adapters=speeds,
        connection="10.0.0.7 4711 192.168.177.12 22\n",
    )
    client, server = facts.machine.ssh_client, facts.machine.ssh_server
    holder = facts.links.holder(server)

    assert (name, expected) == (holder and holder.name, facts.links.speed(server))
    assert (IPv4Address("10.0.0.7"), None) == (client, facts.links.speed(client))


@pytest.mark.parametrize(
    "change, expected",
    [
        ({}, STORED),
        ({"RepoTags": None}, replace(STORED, tags=(), dangling=True)),
        ({"RepoTags": [], "RepoDigests": ["a@sha256:9"]}, replace(STORED, tags=())),
        ({"Descriptor": {"annotations": None}}, STORED),
        (
            {"Descriptor": {"annotations": {"spark-vllm-cluster.blobs": "sha256:1,sha256:2"}}},
            replace(STORED, blobs=("sha256:1", "sha256:2")),
        ),
    ],
)
def test_stored(change: dict[str, Any], expected: StoredImage) -> None:
    """A stored image has the facts of the engine, whatever its version."""
    assert (expected,) == answer(images=lines([INSPECTED | change])).docker.images


@pytest.mark.parametrize(
    "name, expected",
    [
        ("vllm-node:latest", STORED),
        ("docker.io/library/vllm-node:latest", STORED),
        ("sha256:11", STORED),
        ("vllm-node:cpu", None),
    ],
)
def test_named(name: str, expected: StoredImage | None) -> None:
    """An image is found by its name in full or in short, or by its ID."""
    assert expected == replace(DOCKER, images=(STORED,)).named(name)


@pytest.mark.parametrize("nothing", [None, {}])
def test_image_of_nothing(nothing: dict[str, Any] | None) -> None:
    """An image without layers or configuration is an image."""
    expected = Image(architecture="arm64", layers=(), configuration="{}")

    assert expected == images.image(INSPECTED | {"Config": nothing, "RootFS": {"Type": "layers"}})


def test_image_in_another_store() -> None:
    """The same image has another ID, empty lists and other internals in another engine's store."""
    config: dict[str, Any] = {
        "User": None,
        "Volumes": {},
        "Env": ["PATH=/opt/venv/bin"],
        "Cmd": ["bash"],
    }
    elsewhere = INSPECTED | {"Id": "sha256:99", "Size": 8, "Config": config}

    assert [IMAGE] * 2 == [images.image(INSPECTED), images.image(elsewhere)]


@pytest.mark.parametrize(
    "change",
    [
        {"Architecture": "amd64"},
        {"RootFS": {"Layers": ["sha256:bb", "sha256:aa"]}},
        {"Config": {"Cmd": ["bash"], "Env": ["PATH=/bin"]}},
    ],
    ids=["architecture", "order of layers", "environment"],
)
def test_another_image(change: dict[str, Any]) -> None:
    """Any difference that a container would see makes another image."""
    assert images.image(INSPECTED) != images.image(INSPECTED | change)


def test_secrets() -> None:
    """Variables of an image are compared, and never shown."""
    assert "PATH" not in repr(answer(images=lines([INSPECTED])))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_variable(value: str) -> None:
    """Any value of an image's variables survives the parsing."""
    config = {"Env": [f"A={value}"]}
    (stored,) = answer(images=lines([INSPECTED | {"Config": config}])).docker.images

    assert json.dumps(config) == stored.image.configuration


def test_inspections() -> None:
    """The greeting of a login shell is skipped."""
    text = 'Welcome [you]\n[{"Architecture": "arm64", "RootFS": {"Layers": ["sha256:aa"]}}]\n'
    expected = Image(architecture="arm64", layers=("sha256:aa",), configuration="{}")

    assert [expected] == [images.image(inspected) for inspected in images.inspections(text)]
