"""Texts of settings as typed values, and the messages for wrong ones."""

import shlex
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.node import KEYS
from cluster.settings import values
from cluster.settings.keys import Key
from cluster.settings.values import (
    WrongValueError,
    container,
    image,
    node_folder,
    shared_memory,
)

Parse = Callable[[str], object]

RUNTIME = values.choice("docker", "process")
COUNT = values.whole(1, 64, "a number of GPUs")
SIZE = values.size(75 * 2**20)
MIB = 1 << 20
DIGEST = f"@sha256:{'0f' * 32}"


@pytest.mark.parametrize(
    "parse,text,expected",
    [
        (RUNTIME, "docker", "docker"),
        (values.switch, "true", True),
        (values.switch, "false", False),
        (COUNT, "1", 1),
        (COUNT, "64", 64),
        (values.port, "1", 1),
        (values.port, "10000", 10000),
        (values.port, "20000", 20000),
        (values.port, "65535", 65535),
        (SIZE, "200000000", 200_000_000),
        (SIZE, "1g", 2**30),
        (SIZE, "1G", 2**30),
        (SIZE, "512MiB", 512 * 2**20),
        (SIZE, "76800k", 75 * 2**20),
        (SIZE, "1tib", 2**40),
        (values.share, "0.7", 0.7),
        (values.share, ".5", 0.5),
        (values.share, "1", 1.0),
        (values.address, "192.168.177.11", IPv4Address("192.168.177.11")),
        (values.address, "1.0.0.0", IPv4Address("1.0.0.0")),
        (values.address, "169.254.10.1", IPv4Address("169.254.10.1")),
        (values.network, "10.0.0.0/8", IPv4Network("10.0.0.0/8")),
        (values.network, "10.0.0.0/255.255.0.0", IPv4Network("10.0.0.0/16")),
        (values.network, "128.0.0.0/1", IPv4Network("128.0.0.0/1")),
        (values.network, "10.0.0.0/31", IPv4Network("10.0.0.0/31")),
        (values.interface, "enp1s0f1np1", "enp1s0f1np1"),
        (values.interface, "a", "a"),
        (values.interface, "eth0.100", "eth0.100"),
        (values.interface, "abcdefghijklmno", "abcdefghijklmno"),
        (values.rdma_devices, "", ()),
        (values.rdma_devices, "mlx5_0", ("mlx5_0",)),
        (values.rdma_devices, "rocep1s0f1, roceP2p1s0f1", ("rocep1s0f1", "roceP2p1s0f1")),
        (values.listen_host, "0.0.0.0", "0.0.0.0"),  # noqa: S104 (nothing listens here)
        (values.listen_host, "::1", "::1"),
        (values.listen_host, "localhost", "localhost"),
        (values.ssh_host, "spark1", "spark1"),
        (values.ssh_host, "ann@spark1.local", "ann@spark1.local"),
        (values.ssh_host, "192.168.1.5", "192.168.1.5"),
        (values.label, "spark1", "spark1"),
        (values.label, "a-b", "a-b"),
        (values.model, "", ""),
        (values.model, "Qwen/Qwen3-4B", "Qwen/Qwen3-4B"),
        (values.model, "/models/my model", "/models/my model"),
        (values.words, "", ()),
        (values.words, "--dtype 'a b' c\\ d", ("--dtype", "a b", "c d")),
        (values.words, "a\nb # c", ("a", "b", "#", "c")),
    ],
)
def test_valid_text(parse: Parse, text: str, expected: object) -> None:
    """A valid text becomes a typed value."""
    assert expected == parse(text)


def same_fault(
    parse: Parse, message: str, remedy: str, texts: list[str]
) -> list[tuple[object, ...]]:
    """Return one case for each of the texts; `message` has `{}` in the place of the text."""
    return [(parse, text, message.format(f"`{text}`"), remedy) for text in texts]


@pytest.mark.parametrize(
    "parse,text,message,remedy",
    [
        (RUNTIME, "doker", "must be docker or process, not `doker`", "did you mean docker?"),
        (RUNTIME, "k8s", "must be docker or process, not `k8s`", "write docker or process"),
        (values.switch, "yes", "must be true or false, not `yes`", "write true or false"),
        (values.switch, "True", "must be true or false, not `True`", "did you mean true?"),
        (COUNT, "0", "must be a number of GPUs, not `0`", "write a number from 1 to 64"),
        (COUNT, "65", "must be a number of GPUs, not `65`", "write a number from 1 to 64"),
        (COUNT, "-1", "must be a number of GPUs, not `-1`", "write a number from 1 to 64"),
        (COUNT, "1_0", "must be a number of GPUs, not `1_0`", "write a number from 1 to 64"),
        (COUNT, "\u0666", "must be a number of GPUs, not `\u0666`", "write a number from 1 to 64"),
        (
            COUNT,
            "9" * 5000,
            f"must be a number of GPUs, not `{'9' * 60}...`",
            "write a number from 1 to 64",
        ),
        (values.port, "0", "must be a TCP port, not `0`", "write a number from 1 to 65535"),
        (values.port, "65536", "must be a TCP port, not `65536`", "write a number from 1 to 65535"),
        (values.port, "http", "must be a TCP port, not `http`", "write a number from 1 to 65535"),
        *same_fault(
            values.port,
            "must not be {}, a port that Ray uses itself",
            "choose one that is not 8265 and not from 10001 to 19999",
            ["8265", "10001", "10002", "19999"],
        ),
        *same_fault(
            SIZE,
            "must be a size in bytes, not {}",
            "for example 1g, 512MiB or 1073741824",
            ["big", "1GB", "1.5g", "-1", "1 g", "g", "1e9"],
        ),
        (
            SIZE,
            "74m",
            "must be at least 78643200 bytes, not `74m`",
            "write 78643200 or more",
        ),
        *same_fault(
            values.share,
            "must be a number above 0 and at most 1, not {}",
            "for example 0.7",
            ["0", "0.0", "1.01", "70%", "nan", "inf", "-0.5", "1e-1", "."],
        ),
        *same_fault(
            values.address,
            "must be an IPv4 address, not {}",
            "for example 192.168.177.11",
            ["10.0.0", "fe80::1", "spark1", "10.0.0.1/24", "010.0.0.1", " 10.0.0.1"],
        ),
        *same_fault(
            values.address,
            "must be an address that other nodes can reach, not {}",
            "write this node's own address on the fast link",
            ["127.0.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255"],  # noqa: S104 (nothing listens here)
        ),
        *same_fault(
            values.network,
            "must be an IPv4 network, not {}",
            "for example 192.168.177.0/24",
            ["10.0.0.0", "10.0.0.0/33", "10.0.0.1/32", "0.0.0.0/0", "fe80::/64", "/24"],
        ),
        (
            values.network,
            "192.168.177.11/24",
            "must be a network, not the host `192.168.177.11/24`",
            "write 192.168.177.0/24",
        ),
        *(
            (
                values.interface,
                text,
                f"must be the name of one network interface, not {shown}",
                "write it as `ip -br link` prints it, for example enp1s0f1np1",
            )
            for text, shown in (
                ("", "``"),
                (".", "`.`"),
                ("..", "`..`"),
                ("abcdefghijklmnop", "`abcdefghijklmnop`"),
                ("äääääääää", "`äääääääää`"),
                ("a/b", "`a/b`"),
                ("eth0:1", "`eth0:1`"),
                ("a b", "`a b`"),
                ("a,b", "`a,b`"),
                ("=eth0", "`=eth0`"),
                ("^eth0", "`^eth0`"),
                ("a\x07", "`a\\x07`"),
                ("a\n", "`a\\n`"),
            )
        ),
        *same_fault(
            values.rdma_devices,
            "must be names of RDMA devices separated by commas, not {}",
            "write them as ibdev2netdev prints them, for example rocep1s0f1,roceP2p1s0f1",
            ["a,", ",", "a b", "=a", "mlx5_0:1"],
        ),
        (values.rdma_devices, "a,b,a", "lists a twice: `a,b,a`", "list each device once"),
        *same_fault(
            values.listen_host,
            "must be an address to listen on, not {}",
            "for example 0.0.0.0 or 127.0.0.1",
            ["0.0.0", "256.1.1.1", "-x", "a b", "http://x", "0.0.0.0:80"],
        ),
        *(
            (
                values.ssh_host,
                text,
                f"must be a host that ssh accepts, not `{text}`",
                "write host or user@host; ports and keys belong in ~/.ssh/config",
            )
            for text in (
                "-oProxyCommand=x",
                "a b",
                "ann@",
                "@b",
                "ann@-x",
                "a:22",
                "ssh://a",
                "a@b@c",
            )
        ),
        *same_fault(
            values.label,
            "must be lower-case letters, digits and `-`, not {}",
            "for example spark1",
            ["", "Spark1", "a_b", "-a", "a-", "a.b"],
        ),
        *same_fault(
            values.label,
            "must not be {}, a reserved name",
            "for example spark1",
            ["link", "api-key"],
        ),
        *(
            (
                values.model,
                text,
                f"must be the name or path of a model, not {shown}",
                "for example Qwen/Qwen3-4B or /models/mine",
            )
            for text, shown in (("--x", "`--x`"), (" a", "` a`"), ("a\nb", "`a\\nb`"))
        ),
        (values.words, "a 'b", "has an unclosed quote", "quote as for a shell"),
        (values.words, "a \\", "has an unclosed quote", "quote as for a shell"),
        *(
            (
                values.words,
                text,
                "would show a secret in the list of processes",
                f"set {name} instead",
            )
            for text, name in (
                ("--api-key x", "VLLM_API_KEY"),
                ("--api_key=x", "VLLM_API_KEY"),
                ("--seed 1 --api-k topsecret", "VLLM_API_KEY"),
                ("--hf-token x", "HF_TOKEN"),
            )
        ),
    ],
)
def test_wrong_text(parse: Parse, text: str, message: str, remedy: str) -> None:
    """A wrong text gets a message that shows it where that is safe, and a remedy."""
    with pytest.raises(WrongValueError) as wrong:
        parse(text)

    assert (message, remedy) == (wrong.value.message, wrong.value.remedy)


@pytest.mark.parametrize("length,end", [(60, "`"), (61, "...`")])
def test_shown(length: int, end: str) -> None:
    """A long text is cut after 60 characters."""
    assert f"`{'x' * 60}{end}" == values.shown("x" * length)


def test_one_line() -> None:
    """Unprintable characters are escaped, so that a message stays one line."""
    assert values.one_line("a\nb\x1b[1m\udc80ß") == "a\\nb\\x1b[1m\\udc80ß"


def parsed(parse: Parse, text: str) -> object:
    """Return the value of a text, or the parser's error."""
    try:
        return parse(text)
    except WrongValueError as wrong:
        return wrong


@pytest.mark.parametrize(
    "key", [*KEYS["cluster"].values(), *KEYS["node"].values()], ids=lambda key: str(key.name)
)
@given(text=st.text() | st.from_regex(r"[0-9.,:/@=gkmGiB-]{0,40}", fullmatch=True))
def test_any_text_is_a_value_or_an_error(key: Key, text: str) -> None:
    """For any text a parser returns a value or raises its own error, with a message of one line."""
    result = parsed(key.parse, text)

    assert not isinstance(result, WrongValueError) or (result.message + result.remedy).isprintable()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)))
def test_words_round_trip(words: list[str]) -> None:
    """Words quoted for a shell are read back as the same words."""
    assert tuple(words) == values.words(shlex.join(words))


@given(st.integers(1, 10**6), st.sampled_from(["k", "M", "gib", "TiB"]))
def test_sizes_are_binary(number: int, unit: str) -> None:
    """A unit is a power of 1024."""
    power = "kmgt".index(unit[0].lower()) + 1

    assert number * 1024**power == values.size(0)(f"{number}{unit}")


def wrong(parse: Parse, text: str) -> tuple[str, str]:
    """Return the message and the remedy of a parser for a wrong text."""
    with pytest.raises(WrongValueError) as caught:
        parse(text)
    return caught.value.message, caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        *("vllm-node", "vllm-node:cpu", "me/vllm_node:1.0", "a__b", "a--b"),
        *("localhost:5000/vllm-node:V1", "ghcr.io/me/vllm-node", f"vllm-node:1{DIGEST}"),
        f"vllm-node{DIGEST}",
    ],
)
def test_image(text: str) -> None:
    """The name of an image may have a registry, a tag and a digest."""
    assert text == image(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "Vllm", "-vllm", "vllm node", "vllm:", "vllm:a:b", "vllm/", "a___b", "--privileged"),
        *("vllm@sha256:12", f"vllm:{'t' * 129}", "vllm\n"),
    ],
)
def test_wrong_image(text: str) -> None:
    """A text that Docker would not accept as an image is wrong, above all a flag."""
    message, remedy = wrong(image, text)

    assert f"must be the name of an image, not {values.shown(text)}" == message
    assert "for example vllm-node or me/vllm:1" == remedy


def test_message_of_a_wrong_image() -> None:
    """The message shows the value."""
    assert "must be the name of an image, not `Vllm`" == wrong(image, "Vllm")[0]


@pytest.mark.parametrize("text", ["vllm_node", "v1", "A.b-c_d", "a" * 63])
def test_container(text: str) -> None:
    """A name that Docker accepts for a container is valid."""
    assert text == container(text)


@pytest.mark.parametrize("text", ["", "v", "_vllm", "vllm node", "a/b", "vllm\n", "a" * 64, "-it"])
def test_wrong_container(text: str) -> None:
    """A name that Docker would refuse is wrong, and so is a name too long for a host."""
    message, remedy = wrong(container, text)

    assert f"must be the name of a container, not {values.shown(text)}" == message
    assert "for example vllm_node" == remedy


@pytest.mark.parametrize(
    "text, expected",
    [("host", None), ("16g", 16 << 30), ("64MiB", 64 * MIB), ("67108864", 64 * MIB)],
)
def test_shared_memory(text: str, expected: int | None) -> None:
    """Shared memory is a size, or `host` for the node's own."""
    assert expected == shared_memory(64 * MIB)(text)


@pytest.mark.parametrize("text", ["63MiB", "Host", "16 q"])
def test_wrong_shared_memory(text: str) -> None:
    """A size that is too small is wrong, and so is any other text."""
    message, _ = wrong(shared_memory(64 * MIB), text)

    assert message.endswith(f", not `{text}`")


@pytest.mark.parametrize("text", ["/", "/data/huggingface", "~/.cache/hugging face", "/a=b", "~/"])
def test_node_folder(text: str) -> None:
    """A folder on a node is absolute or below the home of the user there."""
    assert text == node_folder(text)


@pytest.mark.parametrize("text", ["", "~", "data", "./data", "~me/x", "/a:/b", "/a\nb", "$HOME/x"])
def test_wrong_node_folder(text: str) -> None:
    """A text that Docker would take for a volume, or split at a colon, is wrong."""
    message, remedy = wrong(node_folder, text)

    assert f"must be a folder on the nodes, not {values.shown(text)}" == message
    assert "for example ~/.cache/huggingface or /data/huggingface" == remedy


@pytest.mark.parametrize(
    "parse", [image, container, node_folder], ids=["image", "container", "node_folder"]
)
@given(text=st.text())
def test_any_text_is_kept_or_wrong(parse: Parse, text: str) -> None:
    """Any text is either kept unchanged or wrong, with a remedy."""
    try:
        result = parse(text)
    except WrongValueError as error:
        result = text if error.remedy else ""

    assert text == result
