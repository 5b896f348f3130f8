"""The text of a setting as its typed value, or a sentence that says what the text should be."""

import re
import shlex
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import TypeVar

from cluster.commands.flags import SECRET_FLAGS, meant
from cluster.text import did_you_mean

T = TypeVar("T")
Word = TypeVar("Word", bound=str)
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
# Ray's documentation, "Configuring Ray", ports: dashboard, client server, workers.
RAY_PORTS = (8265, *range(10001, 20000))


class WrongValueError(ValueError):
    """A text that is no value of its kind: what is wrong, and what to write instead."""

    def __init__(self, message: str, remedy: str) -> None:
        """Hold both halves of the message."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy


RESERVED = frozenset({"link", "hosts", "ray-token", "api-key"})
"""What the run state holds beside the folders of the nodes."""


def one_line(text: str) -> str:
    """Return a text with escapes for what cannot be printed."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def shown(text: str) -> str:
    """Return a text from a file in backticks, on one line and not too long."""
    line = one_line(text)
    return f"`{line}`" if len(line) <= LONGEST_SHOWN else f"`{line[:LONGEST_SHOWN]}...`"


def choice(*words: Word) -> Parse[Word]:
    """Return the parser that accepts exactly these words."""

    def parse(text: str) -> Word:
        for word in words:
            if word == text:
                return word
        kinds = " or ".join(words)
        raise WrongValueError(
            f"should be {kinds}: {shown(text)}", did_you_mean(text, words, f"write {kinds}")
        )

    return parse


def switch(text: str) -> bool:
    """Return a truth value."""
    return choice("true", "false")(text) == "true"


def whole(lowest: int, highest: int, kind: str) -> Parse[int]:
    """Return the parser of a whole number in a range, `kind` being its name in messages."""

    def parse(text: str) -> int:
        if not DIGITS.fullmatch(text) or not lowest <= int(text) <= highest:
            raise WrongValueError(
                f"should be {kind}: {shown(text)}", f"write a number from {lowest} to {highest}"
            )
        return int(text)

    return parse


def port(text: str) -> int:
    """Return a TCP port that Ray does not use for itself."""
    number = whole(1, 65535, "a TCP port")(text)
    if number in RAY_PORTS:
        raise WrongValueError(
            f"is a port that Ray uses itself: {shown(text)}",
            "choose one that is not 8265 and not from 10001 to 19999",
        )
    return number


def size(lowest: int) -> Parse[int]:
    """Return the parser of a number of bytes, with or without a unit of 1024; at least `lowest`."""

    def parse(text: str) -> int:
        if not (match := SIZE.fullmatch(text)):
            raise WrongValueError(
                f"should be a size in bytes: {shown(text)}",
                "write it like 1g, 512MiB or 1073741824",
            )
        if (number := int(match[1]) * UNITS[(match[2] or "").lower()]) < lowest:
            raise WrongValueError(
                f"should be at least {lowest} bytes: {shown(text)}", f"write {lowest} or more"
            )
        return number

    return parse


def share(text: str) -> float:
    """Return a share of a whole: more than 0, at most 1."""
    if not FRACTION.fullmatch(text) or not 0 < float(text) <= 1:
        raise WrongValueError(
            f"should be a share, above 0 and at most 1: {shown(text)}", "write it like 0.7"
        )
    return float(text)


def address(text: str) -> IPv4Address:
    """Return an IPv4 address that one host can have and others can reach."""
    try:
        host = IPv4Address(text)
    except ValueError:
        raise WrongValueError(
            f"should be an IPv4 address: {shown(text)}", "write it like 192.168.177.11"
        ) from None
    if host.is_loopback or host.is_multicast or host.is_reserved or int(host) < 2**24:
        raise WrongValueError(
            f"should be an address that other nodes reach: {shown(text)}",
            "write this node's own address on the fast link",
        )
    return host


def network(text: str) -> IPv4Network:
    """Return an IPv4 network with room for two hosts."""
    try:
        net = IPv4Network(text, strict=False)
    except ValueError:
        net = None
    if net is None or "/" not in text or not 1 <= net.prefixlen < net.max_prefixlen:
        raise WrongValueError(
            f"should be an IPv4 network: {shown(text)}", "write it like 192.168.177.0/24"
        )
    if text.partition("/")[0] != str(net.network_address):
        raise WrongValueError(f"should be a network, not a host: {shown(text)}", f"write {net}")
    return net


def interface(text: str) -> str:
    """Return the name of a network interface, by the rules of Linux's `dev_valid_name`."""
    # Linux allows `,`, `=` and `^`; NCCL gives them a meaning, and nobody names an interface so.
    if (
        not 1 <= len(text.encode()) <= 15  # noqa: PLR2004 (IFNAMSIZ - 1)
        or text in {".", ".."}
        or not text.isprintable()
        or any(char.isspace() or char in "/:,=^" for char in text)
    ):
        raise WrongValueError(
            f"should be the name of one network interface: {shown(text)}",
            "write it as `ip -br link` prints it, like enp1s0f1np1",
        )
    return text


def rdma_devices(text: str) -> tuple[str, ...]:
    """Return a comma list of RDMA devices, each once; an empty text means none."""
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    for name in names:
        if not RDMA_DEVICE.fullmatch(name):
            raise WrongValueError(
                f"should be names of RDMA devices, with commas between them: {shown(text)}",
                "write them as ibdev2netdev prints them, like rocep1s0f1,roceP2p1s0f1",
            )
        if names.count(name) > 1:
            raise WrongValueError(f"names {name} twice: {shown(text)}", "name each device once")
    return names


def listen_host(text: str) -> str:
    """Return an address or a host name on which a server can listen."""
    try:
        return str(ip_address(text))
    except ValueError:
        if HOST.fullmatch(text) and not text.replace(".", "").isdigit():
            return text
    raise WrongValueError(
        f"should be an address to listen on: {shown(text)}", "write it like 0.0.0.0 or 127.0.0.1"
    )


def ssh_host(text: str) -> str:
    """Return a destination of ssh: a host, an alias or user@host, never a flag."""
    if not SSH_HOST.fullmatch(text):
        raise WrongValueError(
            f"should be a host as ssh knows it: {shown(text)}",
            "write host or user@host; ports and keys belong in ~/.ssh/config",
        )
    return text


def label(text: str) -> str:
    """Return a name that is a host label: safe in file names, container names and host names."""
    if not LABEL.fullmatch(text):
        raise WrongValueError(
            f"should be lower-case letters, digits and `-`: {shown(text)}", "like spark1"
        )
    if text in RESERVED:
        raise WrongValueError(f"is a name of this tool's own: {shown(text)}", "like spark1")
    return text


def model(text: str) -> str:
    """Return the name or path of a model, never something vLLM takes for a flag."""
    if text.startswith("-") or not text.isprintable() or text != text.strip():
        raise WrongValueError(
            f"should be the name or path of a model: {shown(text)}",
            "write it like Qwen/Qwen3-4B or /models/mine",
        )
    return text


def words(text: str) -> tuple[str, ...]:
    """Return the words of a command line, split as a shell does; no flag may hold a secret."""
    try:
        split = tuple(shlex.split(text))
    except ValueError:
        # The text is not shown: it may hold a secret that the check below would have found.
        raise WrongValueError("has a quote that is not closed", "quote as for a shell") from None
    for word in split:
        if flag := meant(word, SECRET_FLAGS):
            message = "would show a secret in the list of processes"
            raise WrongValueError(message, f"set {SECRET_FLAGS[flag]} instead")
    return split
