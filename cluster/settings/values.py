"""Parsers of settings: the text of a value in, the typed value or a WrongValueError out."""

import re
import shlex
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import TypeVar

from cluster.commands.flags import SECRET_FLAGS, full_flag
from cluster.errors import Problem, RefusedError
from cluster.text import did_you_mean

T = TypeVar("T")
Choice = TypeVar("Choice", bound=str)
Parse = Callable[[str], T]

LONGEST_SHOWN = 60
UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
DIGITS = re.compile(r"[0-9]{1,18}")
SIZE = re.compile(r"([0-9]{1,18})(?:([kmgt])(?:ib)?)?", re.IGNORECASE)
FRACTION = re.compile(r"[0-9]*\.?[0-9]+")
RDMA_DEVICE = re.compile(r"[A-Za-z0-9_.-]{1,63}")
HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
SSH_HOST = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*@)?[A-Za-z0-9_][A-Za-z0-9_.-]*")
LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
RESERVED = frozenset({"link", "hosts", "ray-token", "api-key"})
"""Names in the folder of a cluster's run state that are not nodes."""
# Ray's documentation, "Configuring Ray", ports: dashboard, client server, workers.
RAY_PORTS = (8265, *range(10001, 20000))
# distribution/reference: [host[:port]/]path[:tag][@digest], the path in small letters.
REGISTRY = r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?"
REPOSITORY = r"[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*"
TAG = r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
IMAGE = re.compile(f"{REGISTRY}{REPOSITORY}{TAG}")
CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,62}")  # moby, daemon/names
NODE_FOLDER = re.compile(r"~?/[^:,\\\x00-\x1f]*")
"""What `--volume` accepts on its left side: a colon would end it."""


class WrongValueError(ValueError):
    """A text that is not a value of its kind: what is wrong, and what to write instead."""

    def __init__(self, message: str, remedy: str) -> None:
        """Keep the message and the remedy, which are shown together."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy


def option(name: str, parse: Parse[T], text: str) -> T:
    """Return the value of an option; raise RefusedError if its text is wrong."""
    try:
        return parse(text)
    except WrongValueError as wrong:
        raise RefusedError(Problem(name, wrong.message, wrong.remedy)) from None


def one_line(text: str) -> str:
    """Return a text with escapes for unprintable characters."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def shown(text: str) -> str:
    """Return a text from a file in backticks, on one line and of limited length."""
    line = one_line(text)
    return f"`{line}`" if len(line) <= LONGEST_SHOWN else f"`{line[:LONGEST_SHOWN]}...`"


def wrong_kind(kind: str, text: str, remedy: str) -> WrongValueError:
    """Return the error that a text is no value of a kind."""
    return WrongValueError(f"must be {kind}, not {shown(text)}", remedy)


def matching(pattern: re.Pattern[str], kind: str, remedy: str) -> Parse[str]:
    """Return a parser that accepts what the whole pattern matches; `kind` names it in messages."""

    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise wrong_kind(kind, text, remedy)
        return text

    return parse


def choice(*words: Choice) -> Parse[Choice]:
    """Return a parser that accepts exactly these words."""

    def parse(text: str) -> Choice:
        for word in words:
            if word == text:
                return word
        kinds = " or ".join(words)
        raise wrong_kind(kinds, text, did_you_mean(text, words, f"write {kinds}"))

    return parse


def switch(text: str) -> bool:
    """Parse `true` or `false`."""
    return choice("true", "false")(text) == "true"


def whole(lowest: int, highest: int, kind: str) -> Parse[int]:
    """Return a parser of a whole number in a range; `kind` names it in messages."""

    def parse(text: str) -> int:
        if not DIGITS.fullmatch(text) or not lowest <= int(text) <= highest:
            raise wrong_kind(kind, text, f"write a number from {lowest} to {highest}")
        return int(text)

    return parse


def port(text: str) -> int:
    """Parse a TCP port that Ray does not use itself."""
    number = whole(1, 65535, "a TCP port")(text)
    if number in RAY_PORTS:
        raise WrongValueError(
            f"must not be {shown(text)}, a port that Ray uses itself",
            "choose one that is not 8265 and not from 10001 to 19999",
        )
    return number


def size(lowest: int) -> Parse[int]:
    """Return a parser of a number of bytes, with or without a binary unit; at least `lowest`."""

    def parse(text: str) -> int:
        if not (match := SIZE.fullmatch(text)):
            raise wrong_kind("a size in bytes", text, "for example 1g, 512MiB or 1073741824")
        if (number := int(match[1]) * UNITS[(match[2] or "").lower()]) < lowest:
            raise wrong_kind(f"at least {lowest} bytes", text, f"write {lowest} or more")
        return number

    return parse


def share(text: str) -> float:
    """Parse a number above 0 and at most 1."""
    if not FRACTION.fullmatch(text) or not 0 < float(text) <= 1:
        raise wrong_kind("a number above 0 and at most 1", text, "for example 0.7")
    return float(text)


def address(text: str) -> IPv4Address:
    """Parse an IPv4 address that a host can have and that others can reach."""
    try:
        host = IPv4Address(text)
    except ValueError:
        raise wrong_kind("an IPv4 address", text, "for example 192.168.177.11") from None
    if host.is_loopback or host.is_multicast or host.is_reserved or int(host) < 2**24:
        raise wrong_kind(
            "an address that other nodes can reach",
            text,
            "write this node's own address on the fast link",
        )
    return host


def network(text: str) -> IPv4Network:
    """Parse an IPv4 network with room for two hosts."""
    try:
        net = IPv4Network(text, strict=False)
    except ValueError:
        net = None
    if net is None or "/" not in text or not 1 <= net.prefixlen < net.max_prefixlen:
        raise wrong_kind("an IPv4 network", text, "for example 192.168.177.0/24")
    if text.partition("/")[0] != str(net.network_address):
        raise WrongValueError(f"must be a network, not the host {shown(text)}", f"write {net}")
    return net


def interface(text: str) -> str:
    """Parse the name of a network interface, by the rules of Linux's `dev_valid_name`."""
    # Linux allows `,`, `=` and `^`, but NCCL gives them a meaning, and no real name has them.
    if (
        not 1 <= len(text.encode()) <= 15  # noqa: PLR2004 (IFNAMSIZ - 1)
        or text in {".", ".."}
        or not text.isprintable()
        or any(char.isspace() or char in "/:,=^" for char in text)
    ):
        raise wrong_kind(
            "the name of one network interface",
            text,
            "write it as `ip -br link` prints it, for example enp1s0f1np1",
        )
    return text


def rdma_devices(text: str) -> tuple[str, ...]:
    """Parse RDMA devices separated by commas, each listed once; an empty text means none."""
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    for name in names:
        if not RDMA_DEVICE.fullmatch(name):
            raise wrong_kind(
                "names of RDMA devices separated by commas",
                text,
                "write them as ibdev2netdev prints them, for example rocep1s0f1,roceP2p1s0f1",
            )
        if names.count(name) > 1:
            raise WrongValueError(f"lists {name} twice: {shown(text)}", "list each device once")
    return names


def listen_host(text: str) -> str:
    """Parse an address or a host name on which a server can listen."""
    try:
        return str(ip_address(text))
    except ValueError:
        if HOST.fullmatch(text) and not text.replace(".", "").isdigit():
            return text
    raise wrong_kind("an address to listen on", text, "for example 0.0.0.0 or 127.0.0.1")


ssh_host = matching(
    SSH_HOST,
    "a host that ssh accepts",
    "write host or user@host; ports and keys belong in ~/.ssh/config",
)
"""Parses a destination for ssh: a host, an alias or user@host, never a flag."""
image = matching(IMAGE, "the name of an image", "for example vllm-node or me/vllm:1")
container = matching(CONTAINER, "the name of a container", "for example vllm_node")
node_folder = matching(
    NODE_FOLDER,
    "a folder on the nodes",
    "for example ~/.cache/huggingface or /data/huggingface",
)
"""Parses a folder on a node: an absolute path, or one below `~/`."""


def label(text: str) -> str:
    """Parse a name that is safe as a file name, a container name and a host name."""
    name = matching(LABEL, "lower-case letters, digits and `-`", "for example spark1")(text)
    if name in RESERVED:
        raise WrongValueError(f"must not be {shown(name)}, a reserved name", "for example spark1")
    return name


def model(text: str) -> str:
    """Parse the name or path of a model; vLLM must not take it for a flag."""
    if text.startswith("-") or not text.isprintable() or text != text.strip():
        raise wrong_kind(
            "the name or path of a model", text, "for example Qwen/Qwen3-4B or /models/mine"
        )
    return text


def words(text: str) -> tuple[str, ...]:
    """Parse the words of a command line as a shell splits them; no flag may contain a secret."""
    try:
        split = tuple(shlex.split(text))
    except ValueError:
        # The text is not shown: it may contain a secret that the check below would have found.
        raise WrongValueError("has an unclosed quote", "quote as for a shell") from None
    for word in split:
        if flag := full_flag(word, SECRET_FLAGS):
            message = "would show a secret in the list of processes"
            raise WrongValueError(message, f"set {SECRET_FLAGS[flag]} instead")
    return split


def shared_memory(lowest: int) -> Parse[int | None]:
    """Return a parser of a size of shared memory; `host` becomes None."""
    return lambda text: None if text == "host" else size(lowest)(text)
