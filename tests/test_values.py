"""Texts of settings as typed values, and what is said about wrong ones."""

import shlex
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.settings import values
from cluster.settings.key import Key
from cluster.settings.schema import CLUSTER_KEYS, NODE_KEYS
from cluster.settings.values import WrongValueError

Parse = Callable[[str], object]

RUNTIME = values.choice("docker", "process")
COUNT = values.whole(1, 64, "a number of GPUs")
SIZE = values.size(75 * 2**20)


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
def test_right(parse: Parse, text: str, expected: object) -> None:
    """A right text is its typed value."""
    assert expected == parse(text)


def each(parse: Parse, message: str, remedy: str, texts: list[str]) -> list[tuple[object, ...]]:
    """Return the cases of texts that are wrong in the same way."""
    return [(parse, text, f"{message}`{text}`", remedy) for text in texts]


@pytest.mark.parametrize(
    "parse,text,message,remedy",
    [
        (RUNTIME, "doker", "should be docker or process: `doker`", "did you mean docker?"),
        (RUNTIME, "k8s", "should be docker or process: `k8s`", "write docker or process"),
        (values.switch, "yes", "should be true or false: `yes`", "write true or false"),
        (values.switch, "True", "should be true or false: `True`", "did you mean true?"),
        (COUNT, "0", "should be a number of GPUs: `0`", "write a number from 1 to 64"),
        (COUNT, "65", "should be a number of GPUs: `65`", "write a number from 1 to 64"),
        (COUNT, "-1", "should be a number of GPUs: `-1`", "write a number from 1 to 64"),
        (COUNT, "1_0", "should be a number of GPUs: `1_0`", "write a number from 1 to 64"),
        (COUNT, "\u0666", "should be a number of GPUs: `\u0666`", "write a number from 1 to 64"),
        (
            COUNT,
            "9" * 5000,
            f"should be a number of GPUs: `{'9' * 60}...`",
            "write a number from 1 to 64",
        ),
        (values.port, "0", "should be a TCP port: `0`", "write a number from 1 to 65535"),
        (values.port, "65536", "should be a TCP port: `65536`", "write a number from 1 to 65535"),
        (values.port, "http", "should be a TCP port: `http`", "write a number from 1 to 65535"),
        *each(
            values.port,
            "is a port that Ray uses itself: ",
            "choose one that is not 8265 and not from 10001 to 19999",
            ["8265", "10001", "10002", "19999"],
        ),
        *each(
            SIZE,
            "should be a size in bytes: ",
            "write it like 1g, 512MiB or 1073741824",
            ["big", "1GB", "1.5g", "-1", "1 g", "g", "1e9"],
        ),
        (
            SIZE,
            "74m",
            "should be at least 78643200 bytes: `74m`",
            "write 78643200 or more",
        ),
        *each(
            values.share,
            "should be a share, above 0 and at most 1: ",
            "write it like 0.7",
            ["0", "0.0", "1.01", "70%", "nan", "inf", "-0.5", "1e-1", "."],
        ),
        *each(
            values.address,
            "should be an IPv4 address: ",
            "write it like 192.168.177.11",
            ["10.0.0", "fe80::1", "spark1", "10.0.0.1/24", "010.0.0.1", " 10.0.0.1"],
        ),
        *each(
            values.address,
            "should be an address that other nodes reach: ",
            "write this node's own address on the fast link",
            ["127.0.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255"],  # noqa: S104 (nothing listens here)
        ),
        *each(
            values.network,
            "should be an IPv4 network: ",
            "write it like 192.168.177.0/24",
            ["10.0.0.0", "10.0.0.0/33", "10.0.0.1/32", "0.0.0.0/0", "fe80::/64", "/24"],
        ),
        (
            values.network,
            "192.168.177.11/24",
            "should be a network, not a host: `192.168.177.11/24`",
            "write 192.168.177.0/24",
        ),
        *(
            (
                values.interface,
                text,
                f"should be the name of one network interface: {shown}",
                "write it as `ip -br link` prints it, like enp1s0f1np1",
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
        *each(
            values.rdma_devices,
            "should be names of RDMA devices, with commas between them: ",
            "write them as ibdev2netdev prints them, like rocep1s0f1,roceP2p1s0f1",
            ["a,", ",", "a b", "=a", "mlx5_0:1"],
        ),
        (values.rdma_devices, "a,b,a", "names a twice: `a,b,a`", "name each device once"),
        *each(
            values.listen_host,
            "should be an address to listen on: ",
            "write it like 0.0.0.0 or 127.0.0.1",
            ["0.0.0", "256.1.1.1", "-x", "a b", "http://x", "0.0.0.0:80"],
        ),
        *(
            (
                values.ssh_host,
                text,
                f"should be a host as ssh knows it: `{text}`",
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
        *each(
            values.label,
            "should be lower-case letters, digits and `-`: ",
            "like spark1",
            ["", "Spark1", "a_b", "-a", "a-", "a.b"],
        ),
        *each(values.label, "is a name of this tool's own: ", "like spark1", ["link", "api-key"]),
        *(
            (
                values.model,
                text,
                f"should be the name or path of a model: {shown}",
                "write it like Qwen/Qwen3-4B or /models/mine",
            )
            for text, shown in (("--x", "`--x`"), (" a", "` a`"), ("a\nb", "`a\\nb`"))
        ),
        (values.words, "a 'b", "has a quote that is not closed", "quote as for a shell"),
        (values.words, "a \\", "has a quote that is not closed", "quote as for a shell"),
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
def test_wrong(parse: Parse, text: str, message: str, remedy: str) -> None:
    """A wrong text is described, shown where that is safe, and has a remedy."""
    with pytest.raises(WrongValueError) as wrong:
        parse(text)

    assert (message, remedy) == (wrong.value.message, wrong.value.remedy)


@pytest.mark.parametrize("length,end", [(60, "`"), (61, "...`")])
def test_shown(length: int, end: str) -> None:
    """A long text is cut after 60 characters."""
    assert f"`{'x' * 60}{end}" == values.shown("x" * length)


def test_one_line() -> None:
    """What cannot be printed is escaped, so that a message stays one line."""
    assert values.one_line("a\nb\x1b[1m\udc80ß") == "a\\nb\\x1b[1m\\udc80ß"


def outcome(parse: Parse, text: str) -> object:
    """Return the value of a text, or the error that says why it has none."""
    try:
        return parse(text)
    except WrongValueError as wrong:
        return wrong


@pytest.mark.parametrize("key", [*CLUSTER_KEYS, *NODE_KEYS], ids=lambda key: str(key.name))
@given(text=st.text() | st.from_regex(r"[0-9.,:/@=gkmGiB-]{0,40}", fullmatch=True))
def test_never_anything_else(key: Key[object], text: str) -> None:
    """A parser returns a value or raises its own error, whatever the text, on one line."""
    result = outcome(key.parse, text)

    assert not isinstance(result, WrongValueError) or (result.message + result.remedy).isprintable()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)))
def test_words_round_trip(words: list[str]) -> None:
    """Words that a shell quoted are the same words again."""
    assert tuple(words) == values.words(shlex.join(words))


@given(st.integers(1, 10**6), st.sampled_from(["k", "M", "gib", "TiB"]))
def test_sizes_are_binary(number: int, unit: str) -> None:
    """A unit is a power of 1024."""
    power = "kmgt".index(unit[0].lower()) + 1

    assert number * 1024**power == values.size(0)(f"{number}{unit}")
