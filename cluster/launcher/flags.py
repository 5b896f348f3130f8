"""The command line of `run-cluster-node`: its flags, their values, and the problems with them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar, cast

from cluster.errors import Problem, SettingsError
from cluster.node import KEYS, Cluster
from cluster.settings import values
from cluster.settings.values import Parse, WrongValueError, one_line
from cluster.text import aligned, did_you_mean

T = TypeVar("T")
Value_co = TypeVar("Value_co", covariant=True)

PROGRAM = "run-cluster-node"


@dataclass(frozen=True, kw_only=True)
class Flag(Generic[Value_co]):
    """One flag; each has a value."""

    short: str = ""
    name: str
    parse: Parse[Value_co]
    needed: str = "no"
    """`yes`, `no`, or for which role, as the documentation says it."""
    example: str
    """The flag with a value, as a remedy shows it."""
    meaning: str


ROLE = Flag[str](
    short="-r",
    name="--role",
    parse=values.choice("head", "node", "worker"),
    needed="yes",
    example="--role head or --role node",
    meaning="`head` on one machine, `node` (or `worker`) on every other",
)
HOST_IP = Flag(
    short="-h",
    name="--host-ip",
    parse=values.address,
    needed="yes",
    example="--host-ip 192.168.177.11",
    meaning="this machine's own address on the ConnectX link",
)
ETH_IF = Flag(
    short="-e",
    name="--eth-if",
    parse=values.interface,
    needed="yes",
    example="--eth-if enp1s0f1np1",
    meaning="Ethernet interface that holds this address",
)
IB_IF = Flag(
    short="-i",
    name="--ib-if",
    parse=values.rdma_devices,
    needed="yes",
    example='--ib-if rocep1s0f1,roceP2p1s0f1, or --ib-if "" for sockets only',
    meaning="RDMA devices of the same port, with commas between them; empty for sockets only",
)
HEAD_IP = Flag(
    short="-m",
    name="--head-ip",
    parse=values.address,
    needed="for a node",
    example="--head-ip 192.168.177.11",
    meaning="the head's address on the link",
)
PORT = Flag(
    short="-p",
    name="--port",
    parse=values.port,
    example=f"--port {Cluster.head_port}",
    meaning=f"Ray's port on the head, the same for all nodes; default {Cluster.head_port}",
)
GPUS = Flag(
    name="--gpus",
    parse=KEYS["node"]["GPUS"].parse,
    example="--gpus 1",
    meaning="GPUs of this machine, where Ray cannot count them itself",
)
FLAGS: tuple[Flag[object], ...] = (ROLE, HOST_IP, ETH_IF, IB_IF, HEAD_IP, PORT, GPUS)
NAMES = {name: flag for flag in FLAGS for name in (flag.short, flag.name) if name}


class Argument(NamedTuple):
    """A word of the command line, the flag that it names, and the value behind it."""

    word: str
    flag: Flag[object] | None
    text: str | None


@dataclass(frozen=True, kw_only=True)
class Values:
    """The values on the command line, by the names of their flags; a wrong one is a Problem."""

    by_flag: dict[str, object]

    def __getitem__(self, flag: Flag[T]) -> T:
        """Return the value of a flag that has one."""
        return cast("T", self.by_flag[flag.name])

    def get(self, flag: Flag[T]) -> T | None:
        """Return the value of a flag, None without a right one."""
        value = self.by_flag.get(flag.name)
        return None if isinstance(value, Problem) else cast("T | None", value)


def read(argv: tuple[str, ...]) -> Values:
    """Return the values of the flags; a SettingsError has all problems with them."""
    pairs = tuple((argument, _value(argument)) for argument in _arguments(list(argv)))
    counts = Counter(argument.flag.name for argument, _ in pairs if argument.flag)
    flag_values = Values(
        by_flag={argument.flag.name: value for argument, value in pairs if argument.flag}
    )
    problems = (
        *(value for _, value in pairs if isinstance(value, Problem)),
        *(_problem(flag, "is given twice", "keep one") for flag in FLAGS if counts[flag.name] > 1),
        *(_missing(flag) for flag in FLAGS if flag.needed == "yes" and not counts[flag.name]),
        *_head_ip_problems(flag_values, counts),
    )
    if problems:
        raise SettingsError(*problems)
    return flag_values


def _problem(flag: Flag[object], message: str, remedy: str) -> Problem:
    return Problem(place=f"{PROGRAM}: {flag.name}", message=message, remedy=remedy)


def usage() -> str:
    """Return what `--help` prints."""
    lines = tuple(_line(*row) for row in rows())
    return f"""\
{PROGRAM} makes this container a node of a cluster: it checks the machine, sets the variables
for Ray, NCCL and vLLM here and in every later shell, and starts Ray.

{aligned(lines)}

  {PROGRAM} --role head --host-ip 192.168.177.11 \\
    --eth-if enp1s0f1np1 --ib-if rocep1s0f1,roceP2p1s0f1
  {PROGRAM} --role node --host-ip 192.168.177.12 --head-ip 192.168.177.11 \\
    --eth-if enp1s0f1np1 --ib-if rocep1s0f1,roceP2p1s0f1
"""


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield short flag, long flag, meaning and need of every flag."""
    yield from ((flag.short, flag.name, flag.meaning, flag.needed) for flag in FLAGS)
    yield "", "--help", "this text; `-h` is `--host-ip`", "no"


def _line(short: str, name: str, meaning: str, needed: str) -> tuple[str, str]:
    need = "" if needed in {"yes", "no"} else f" ({needed})"
    return f"  {short}, {name}" if short else f"  {name}", f"{meaning}{need}"


def _arguments(words: list[str]) -> Iterator[Argument]:
    """Split the words: one that starts with a hyphen takes the next, unless that does as well."""
    while words:
        word, equals, text = words.pop(0).partition("=")
        takes = word.startswith("-") and not equals and words and not words[0].startswith("-")
        value = words.pop(0) if takes else text if equals else None
        yield Argument(word, NAMES.get(word), value)


def _value(argument: Argument) -> object:
    """Return the value of a flag, or the problem with it."""
    flag, word = argument.flag, argument.word
    if flag is None:
        remedy = did_you_mean(word, NAMES, "--help lists the flags")
        return Problem(place=f"{PROGRAM}: {one_line(word)}", message="unknown flag", remedy=remedy)
    if argument.text is None:
        return _problem(flag, "has no value", f"write {flag.example}")
    try:
        return flag.parse(argument.text)
    except WrongValueError as error:
        return _problem(flag, error.message, error.remedy)


def _missing(flag: Flag[object]) -> Problem:
    return _problem(flag, "is missing", f"write {flag.example}")


def _head_ip_problems(flag_values: Values, counts: Counter[str]) -> Iterator[Problem]:
    """Yield problems that only role and addresses together can show."""
    role, address = flag_values.get(ROLE), flag_values.get(HOST_IP)
    head = flag_values.get(HEAD_IP)
    if role in {"node", "worker"} and not counts[HEAD_IP.name]:
        yield _missing(HEAD_IP)
    if role in {"node", "worker"} and head and head == address:
        message = f"is this machine's own --host-ip: `{head}`"
        yield _problem(HEAD_IP, message, "write the head's address")
    if role == "head" and head and address and head != address:
        message = f"should be {address}, as this machine is the head: `{head}`"
        yield _problem(HEAD_IP, message, "leave it out")
