"""From the lines of a log to the failures that it tells of, the likely cause first."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, takewhile

from cluster.logs import logline
from cluster.logs.logline import Line

FATAL = re.compile(
    r"""
    ^(?:vllm|ray)\b[^:]*:\ error:\                                      # argparse
    | ^Error:\ (?:No\ such\ option|Invalid\ value|Missing\ option|Got\ unexpected)  # click, in ray
    | ^\ +File\ "[^"]*/bin/(?:vllm|ray)",\ line\ \d+,\ in\ <module>$    # nobody caught it
    | EngineCore\ failed\ to\ start
    | Engine\ core\ initialization\ failed
    | EngineCore\ encountered\ a\ fatal\ error
    | RayWorkerProc\ failed:
    | ^(?:RayWorkerProc|Worker\ proc)\b.*\ died\ unexpectedly
    | ^\S*EngineDeadError:
    | Cannot\ provide\ a\ placement\ group
    | ^ray\.exceptions\.(?:OutOfMemory|ActorDied|NodeDied|OwnerDied|WorkerCrashed)Error\b
    | ^Raylet\ is\ terminated\.\ Termination\ is\ unexpected
    | ^A\ worker\ died\ or\ was\ killed\ while\ executing\ a\ task
    | ^The\ node\ with\ node\ id\b.*\ marked\ dead
    | killed\ due\ to\ (?:the\ node\ running\ low\ on\ memory|memory\ pressure)
    | ^Some\ Ray\ subprocesses\ exited\ unexpectedly
    | ^Remaining\ processes\ will\ be\ killed
    | (?i:address\ already\ in\ use)
    | ^\S*OutOfMemoryError:
    | No\ available\ memory\ for\ the\ cache\ blocks
    | To\ serve\ at\ least\ one\ request\ with\ the\ model
    | ^\S*Error:\ Free\ memory\ on\ device
    | ^\S*Error:\ .*\b(?:NCCL\ error|nccl\w+Error)\b
    | Watchdog\ caught\ collective\ operation\ timeout
    | ^\S*Dist(?:Network|Store|Backend)Error:
    | \bgloo/transport/ | Gloo\ connectFullMesh\ failed
    """,
    re.VERBOSE,
)
WAITING = re.compile(
    r"Waiting for creating a placement group of specs for (?P<seconds>\d+) seconds"
)
PATIENCE_SECONDS = 30
"""All nodes had joined before, so GPUs that are not there by now are held by somebody else."""

OPENING = re.compile(
    # Ray puts the traceback of what it met, or of a task, into the message of its own exception.
    r".*Traceback \(most recent call last\):$"
    r"|ray\.exceptions\.\w+(?:\(\w+\))?: .*?ray::(?:\w+:)?(?P<name>\w+).*?"
    r" \(pid=\d+, ip=(?P<ip>[^,)]+)"
)
FRAME = re.compile(r'\s+File "(?P<file>.+)", line (?P<line>\d+)(?P<function>, in .+)?$')
PACKAGES = re.compile(r"^.*/(?:(?:site|dist)-packages|lib/python3\.\d+)/")
ENDING = re.compile(
    r"$|The above exception was|During handling of the above|Process \S+:$|\S+:\d+: \w*Warning:"
)
NOISE = re.compile(
    r"\s+For further information visit .*"  # pydantic's links
    r"|\ \[type=\w+, input_value=.*"  # and the whole value that it did not like
    r"|\s+(?:actor_id|namespace): .*"
    r"| (?:Lease|Worker|Node) I[Dd]: \w+| node id: \w+ and"
    r"| Last \d+ lines of the Raylet logs:$"
)
CAUGHT = re.compile(
    "Exception ignored in|--- Logging error ---|Exception in ASGI application|.*never retrieved"
)
"""What is said before a traceback that ends nothing."""

WORKERS = re.compile(r"WorkerProc (?:hit an exception|failed)|Error executing method")
"""What a worker says before the traceback of what went wrong in it."""
PEER = re.compile(
    r"Connection (?:closed|reset) by peer|Connection refused|Broken pipe|Socket closed|timed out"
)
"""What a rank says when another one has gone."""
WRAPPER = re.compile(
    r"root cause|Worker failed with error|^EngineCore (?:failed|encountered)"
    r"|^(?:RayWorkerProc rank|Worker proc).* died unexpectedly|^RayWorkerProc failed:"
    r"|^RuntimeError: cancelled$|^ray\.exceptions\.ActorHandleNotFoundError"
    r"|^Remaining processes will be killed"
)
"""What only repeats that something failed."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Something that went wrong, as one process told it."""

    said: tuple[str, ...]
    """The message, without the frames that led to it."""
    who: str = ""
    """The process, and its node's address when Ray tells it."""
    where: str = ""
    """`FILE:LINE, in FUNCTION` of the last frame."""
    number: int = 0
    """The number of the line that begins it."""
    indirect: int = 0
    """How far it is from the cause: 0 may be it, 1 is its effect on others, 2 a mere repetition."""


Numbered = tuple[int, Line]


def fatal(line: Line) -> bool:
    """Tell whether the program cannot recover from what this line says."""
    if waited := WAITING.match(line.text):
        return int(waited["seconds"]) >= PATIENCE_SECONDS
    return not line.quiet and FATAL.search(line.text) is not None


def failures(lines: Sequence[str]) -> list[Failure]:
    """Return what failed, the likely cause first."""
    found = [it for record in _records(lines) for it in _told(record)]
    return sorted(found, key=lambda it: (it.indirect, it.number))


def _records(lines: Sequence[str]) -> Iterator[list[Numbered]]:
    """Part the processes, which talk at once, and what each said in one go."""
    numbered = [(number, logline.read(line)) for number, line in enumerate(lines)]
    streams: dict[str, list[Numbered]] = {}
    for number, line in numbered:
        streams.setdefault(line.process, []).append((number, line))
    for stream in streams.values():
        for _, record in groupby(stream, key=lambda it: (it[1].level, _file(it[1]))):
            yield list(record)


def _file(line: Line) -> str:
    """Return what logged the line; an exception has one source, Ray's report of an end has many."""
    return line.source.split(":")[0]


def _told(record: list[Numbered]) -> Iterator[Failure]:
    """Find the failures in what a process said in one go."""
    opened = [at for at, (_, line) in enumerate(record) if OPENING.match(line.text)]
    yield from _notices(record[: opened[0] if opened else None])
    for begin, end in pairwise([*opened, len(record)]):
        before = record[begin - 1][1].text if begin else ""
        if not record[begin][1].quiet and not CAUGHT.match(before):
            yield from _raised(record[begin:end], before)


def _notices(record: list[Numbered]) -> Iterator[Failure]:
    """Find the lines that are fatal by themselves."""
    for (number, line), (_, following) in pairwise([*record, (0, Line())]):
        if fatal(line) and not FRAME.match(line.text):
            more = [following.text] if line.text.endswith(":") else []
            said = _plain([line.text, *more])
            indirect = 2 if WRAPPER.search(line.text) else 0
            yield Failure(said=said, who=line.who, number=number, indirect=indirect)


def _raised(block: list[Numbered], before: str) -> Iterator[Failure]:
    """Read a traceback: the frames, of which the last counts, then the message."""
    number, opening = block[0]
    texts = [line.text for _, line in block[1:]]
    frames = list(takewhile(lambda text: text[:1].isspace(), texts))
    said = _plain(list(takewhile(lambda text: not ENDING.match(text), texts[len(frames) :])))
    if said:
        yield Failure(
            said=said,
            who=_author(opening),
            where=_where(frames),
            number=number,
            indirect=_indirect(opening, before, said),
        )


def _plain(texts: Sequence[str]) -> tuple[str, ...]:
    """Leave out what no reader needs."""
    return tuple(plain for text in texts if (plain := NOISE.sub("", text)))


def _author(opening: Line) -> str:
    """Say whose traceback this is: Ray hands those of other processes on."""
    told = OPENING.match(opening.text)
    return f"{told['name']} ip={told['ip']}" if told and told["name"] else opening.who


def _where(frames: Sequence[str]) -> str:
    """Return where the last frame is."""
    found = [frame for text in frames if (frame := FRAME.match(text))]
    return "".join(
        f"{PACKAGES.sub('', frame['file'])}:{frame['line']}{frame['function'] or ''}"
        for frame in found[-1:]
    )


def _indirect(opening: Line, before: str, said: tuple[str, ...]) -> int:
    if WRAPPER.search(said[0]):
        return 2
    uncaught = opening.level == ""
    ends = uncaught or WORKERS.search(before) or FATAL.search(before) or FATAL.search(said[0])
    return 0 if ends and not PEER.search(said[0]) else 1
