"""What an engine has and how it is reached, from the answers of real machines."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.facts import images
from cluster.ship import survey
from cluster.ship.survey import Facts, Held, Image, Link

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
HELD = Held(id="sha256:11", tags=("vllm-node:latest",), image=IMAGE, size=7)
BARE = Facts(
    version="29.1.0", architecture="arm64", store="overlay2", root="/var/lib/docker", free=None
)


def answer(**sections: str) -> str:
    """Return an answer with these sections; the others are empty."""
    names = {
        "engine": "info 29.1.0|aarch64|/var/lib/docker|overlay2|null\n",
        "images": "",
        "free in the root": "",
        "free in containerd": "",
        "interfaces": "",
        "speeds": "",
        "connection": "\n",
        "zstd": "",
        "end": "",
    }
    said = names | {name.replace("_", " "): text for name, text in sections.items()}
    return "".join(f"== {name}\n{text}" for name, text in said.items())


def lines(found: list[dict[str, Any]]) -> str:
    """Return JSON as the Docker client prints it."""
    return json.dumps(found, indent=4, ensure_ascii=False) + "\n"


def test_overlay2() -> None:
    """An engine that unpacks at once, asked over SSH by the way of a veth of no known speed."""
    found = survey.facts(OVERLAY2)
    expected = Facts(
        version="20.10.24+dfsg1",
        architecture="amd64",
        store="overlay2",
        root="/var/lib/docker",
        free=65_982_205_952,
        images=found.images,
        links=(
            Link(name="lo", addresses=("127.0.0.1", "::1"), speed=None),
            Link(
                name="enp1s0f1np1",
                addresses=("192.168.177.11", "fe80::a089:faff:fea0:2cdd"),
                speed=None,
            ),
        ),
        asker="192.168.177.1",
        asked="192.168.177.11",
        zstd=True,
    )

    assert expected == replace(found, free=65_982_205_952)
    assert ("enp1s0f1np1", None) == (found.interface, found.link)
    assert [(3, 1_719_654_879, True), (10, 2_246_209_590, True)] == [
        (len(held.layers), held.size, held.dangling) for held in found.images
    ]
    assert "spark-vllm-cluster.device" in found.images[1].labels


def test_containerd() -> None:
    """An engine with containerd's store, which tells the files of what came by ship."""
    found = survey.facts(CONTAINERD)
    said = [(held.id[7:11], held.tags, len(held.blobs), held.labels) for held in found.images]

    assert ("28.5.2+dfsg4", "containerd", "/data") == (found.version, found.store, found.root)
    assert ("", "", "", None, False) == (
        found.asker,
        found.asked,
        found.interface,
        found.link,
        found.zstd,
    )
    assert [
        ("26b6", (), 0, ("unfinished",)),
        ("4403", (), 3, ("spark-vllm-cluster.device",)),
        ("ba24", (), 0, ()),
        ("c535", ("t:2",), 0, ()),
        ("fdb0", (), 2, ("spark-vllm-cluster.part",)),
    ] == said


def test_nothing() -> None:
    """A machine that tells of its engine alone is not known any better."""
    assert BARE == survey.facts(answer())


def test_before_the_answer() -> None:
    """What start-up files of a shell print is no part of it."""
    assert BARE == survey.facts(f"Welcome!\n{answer()}")


@pytest.mark.parametrize(
    "text, expected",
    [
        (OVERLAY2, True),
        (f"Welcome!\n{CONTAINERD}Bye\n", True),
        (OVERLAY2.removesuffix("== end\n"), False),
        ("This account is not available.\n", False),
        ("", False),
    ],
)
def test_answered(text: str, expected: bool) -> None:  # noqa: FBT001 (the expected value)
    """A login that does something else with a question is no answer."""
    assert expected == survey.answered(text)


def test_without_docker(tmp_path: Path) -> None:
    """Where there is no Docker, the answer is the shell's word on it, and no more."""
    done = subprocess.run(
        ["/bin/sh", "-s"],
        check=False,
        input=survey.QUESTION,
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
    )

    assert (127, "") == (done.returncode, done.stdout)
    assert {"docker: not found"} == {
        line[line.index("docker") :] for line in done.stderr.splitlines()
    }


def free(text: str) -> str:
    """Return what `df` says of so many KiB."""
    title = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n"
    return f"{title}/dev/my disk 264212084 41955184 {text} /var/lib/docker\n"


@pytest.mark.parametrize(
    "driver, root, other, expected",
    [
        ("overlay2|null", free("3 38%"), free("2 38%"), 3072),
        ("overlay2|null", free("0 -"), "", 0),
        ("overlay2|null", "", free("2 38%"), None),
        ('overlayfs|[["driver-type","io.containerd.snapshotter.v1"]]', free("3 9%"), "", 3072),
        (
            'overlayfs|[["driver-type","io.containerd.snapshotter.v1"]]',
            free("3 9%"),
            free("2 9%"),
            2048,
        ),
    ],
)
def test_free(driver: str, root: str, other: str, expected: int | None) -> None:
    """The room is where an engine keeps its files; containerd has a folder of its own."""
    engine = f"info 29.1.0|aarch64|/var/lib/docker|{driver}\n"
    found = survey.facts(answer(engine=engine, free_in_the_root=root, free_in_containerd=other))

    assert expected == found.free


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
    """Only what has a cable somewhere has a speed."""
    address = {"addr_info": [{"local": "192.168.177.12"}, {"family": "inet"}]}
    interfaces = lines([{"ifname": "enp1s0f1np1"} | address | kind])
    speeds = (
        "/sys/class/net/enp1s0f1np1/speed:200000\n"
        "/sys/class/net/wlan0/speed:-1\n/sys/class/net/enP7s7/speed:10000\n"
    )
    found = survey.facts(
        answer(interfaces=interfaces, speeds=speeds, connection="10.0.0.7 4711 192.168.177.12 22\n")
    )

    assert ("enp1s0f1np1", expected) == (found.interface, found.link)
    assert ("10.0.0.7", None) == (found.asker, found.speed("10.0.0.7"))


@pytest.mark.parametrize(
    "change, expected",
    [
        ({}, HELD),
        ({"RepoTags": None}, replace(HELD, tags=(), dangling=True)),
        ({"RepoTags": [], "RepoDigests": ["a@sha256:9"]}, replace(HELD, tags=())),
        ({"Descriptor": {"annotations": None}}, HELD),
        (
            {"Descriptor": {"annotations": {"spark-vllm-cluster.blobs": "sha256:1,sha256:2"}}},
            replace(HELD, blobs=("sha256:1", "sha256:2")),
        ),
    ],
)
def test_held(change: dict[str, Any], expected: Held) -> None:
    """An image is what the engine says of it, whichever version it has."""
    assert (expected,) == survey.facts(answer(images=lines([INSPECTED | change]))).images


@pytest.mark.parametrize(
    "name, expected",
    [
        ("vllm-node:latest", HELD),
        ("docker.io/library/vllm-node:latest", HELD),
        ("sha256:11", HELD),
        ("vllm-node:cpu", None),
    ],
)
def test_named(name: str, expected: Held | None) -> None:
    """An image is found by its name in full or in short, or by its ID."""
    assert expected == replace(BARE, images=(HELD,)).named(name)


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
    other = INSPECTED | {"Id": "sha256:99", "Size": 8, "Config": config}

    assert [IMAGE] * 2 == [images.image(INSPECTED), images.image(other)]


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
    """What changes a container changes the image."""
    assert images.image(INSPECTED) != images.image(INSPECTED | change)


def test_secrets() -> None:
    """Variables of an image are compared, and never shown."""
    assert "PATH" not in repr(survey.facts(answer(images=lines([INSPECTED]))))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_variable(value: str) -> None:
    """Whatever the images' variables hold, the answer is read as it was meant."""
    config = {"Env": [f"A={value}"]}
    (held,) = survey.facts(answer(images=lines([INSPECTED | {"Config": config}]))).images

    assert json.dumps(config) == held.image.configuration
