"""The failures in a log, the likely cause first, and an excerpt of the lines that report them."""

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise, takewhile

from cluster.logs import logline
from cluster.logs.logline import Line

FATAL = re.compile(
    r"""
    ^(?:vllm|ray)\b[^:]*:\ error:\                                      # argparse
    | ^Error:\ (?:No\ such\ option|Invalid\ value|Missing\ option|Got\ unexpected)  # click, in ray
    | ^\ +File\ "[^"]*/bin/(?:vllm|ray)",\ line\ \d+,\ in\ <module>$    # uncaught
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
"""All nodes had joined before, so another program holds the GPUs that are still missing."""
SHOWN = 8
"""Lines of an excerpt."""
WIDTH = 300
"""Characters of a line that is shown."""

OPENING = re.compile(
    # Ray puts the traceback of a task, or of an exception that it caught, into its own message.
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
    r"|\ \[type=\w+, input_value=.*"  # and the whole value that it rejects
    r"|\s+(?:actor_id|namespace): .*"
    r"| (?:Lease|Worker|Node) I[Dd]: \w+| node id: \w+ and"
    r"| Last \d+ lines of the Raylet logs:$"
)
CAUGHT = re.compile(
    "Exception ignored in|--- Logging error ---|Exception in ASGI application|.*never retrieved"
)
"""The line before a traceback that ends no program."""

WORKERS = re.compile(r"WorkerProc (?:hit an exception|failed)|Error executing method")
"""What a worker logs before the traceback of its own error."""
PEER = re.compile(
    r"Connection (?:closed|reset) by peer|Connection refused|Broken pipe|Socket closed|timed out"
)
"""The error of a rank whose peer has gone."""
WRAPPER = re.compile(
    r"root cause|Worker failed with error|^EngineCore (?:failed|encountered)"
    r"|^(?:RayWorkerProc rank|Worker proc).* died unexpectedly|^RayWorkerProc failed:"
    r"|^RuntimeError: cancelled$|^ray\.exceptions\.ActorHandleNotFoundError"
    r"|^Remaining processes will be killed"
)
"""Messages that only repeat that something failed."""


@dataclass(frozen=True)
class Failure:
    """A failure that one process logged."""

    message: tuple[str, ...]
    """The lines of the message, without the frames of the traceback."""
    author: str = ""
    """The process, with its node's address if Ray logged it."""
    location: str = ""
    """`at FILE:LINE, in FUNCTION` of the last frame."""
    number: int = 0
    """The number of its first line in the log."""
    distance: int = 0
    """From the cause: 0 may be the cause, 1 is an effect on other ranks, 2 a mere repetition."""


NumberedLine = tuple[int, Line]


def is_fatal(line: Line) -> bool:
    """Whether the program cannot recover from the event that this line reports."""
    if wait := WAITING.match(line.text):
        return int(wait["seconds"]) >= PATIENCE_SECONDS
    return not line.is_quiet and FATAL.search(line.text) is not None


def failures(lines: Sequence[str]) -> list[Failure]:
    """Return the failures in a log, the likely cause first."""
    unsorted = [failure for record in _records(lines) for failure in _failures(record)]
    return sorted(unsorted, key=lambda failure: (failure.distance, failure.number))


def excerpt(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the few lines that show why a program ended: its first failure, or the last lines."""
    if not (reported := failures(lines)):
        return _last(lines)
    # A process that was killed cannot log it; what its peers noticed tells on which node it was.
    first = reported[0]
    effects = [] if first.location else [failure for failure in reported if failure.distance == 1]
    return tuple(line for failure in (first, *effects[:1]) for line in _rendered(failure))[:SHOWN]


def _rendered(failure: Failure) -> Iterator[str]:
    """Yield the lines of a failure's message, then one with its location and author."""
    message = [line for text in failure.message for line in textwrap.wrap(text, WIDTH)]
    yield from message[: SHOWN - 1]
    author = f"logged by {failure.author}" if failure.author else ""
    if failure.location or author:
        yield ", ".join(filter(None, (failure.location, author)))


def _last(lines: Sequence[str]) -> tuple[str, ...]:
    parsed = [line for text in lines if (line := logline.read(text)).text][-SHOWN:]
    texts = (f"{line.author}: {line.text}" if line.author else line.text for line in parsed)
    return tuple(text[:WIDTH] for text in texts)


def _records(lines: Sequence[str]) -> Iterator[list[NumberedLine]]:
    """Separate the processes, whose lines interleave, and the records of each process."""
    streams: dict[str, list[NumberedLine]] = {}
    for number, text in enumerate(lines):
        line = logline.read(text)
        streams.setdefault(line.process, []).append((number, line))
    for stream in streams.values():
        # By file, without the line: Ray reports one process's end from several lines.
        for _, record in groupby(stream, key=_level_and_file):
            yield list(record)


def _level_and_file(item: NumberedLine) -> tuple[str, str]:
    return (item[1].level, item[1].source.split(":")[0])


def _failures(record: list[NumberedLine]) -> Iterator[Failure]:
    openings = [index for index, (_, line) in enumerate(record) if OPENING.match(line.text)]
    yield from _notices(record[: openings[0] if openings else None])
    for begin, end in pairwise([*openings, len(record)]):
        previous = record[begin - 1][1].text if begin else ""
        if not record[begin][1].is_quiet and not CAUGHT.match(previous):
            yield from _traceback(record[begin:end], previous)


def _notices(record: list[NumberedLine]) -> Iterator[Failure]:
    """Yield the lines that are fatal by themselves."""
    for (number, line), (_, following) in pairwise([*record, (0, Line())]):
        if is_fatal(line) and not FRAME.match(line.text):
            texts = [line.text, following.text] if line.text.endswith(":") else [line.text]
            distance = 2 if WRAPPER.search(line.text) else 0
            yield Failure(_without_noise(texts), line.author, number=number, distance=distance)


def _traceback(block: list[NumberedLine], previous: str) -> Iterator[Failure]:
    """Yield the failure of a traceback: its frames, of which the last counts, then the message."""
    number, opening = block[0]
    texts = [line.text for _, line in block[1:]]
    frames = list(takewhile(lambda text: text[:1].isspace(), texts))
    end = takewhile(lambda text: not ENDING.match(text), texts[len(frames) :])
    if message := _without_noise(list(end)):
        distance = _distance(opening, previous, message)
        yield Failure(message, _author(opening), _location(frames), number, distance)


def _without_noise(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(plain for text in texts if (plain := NOISE.sub("", text)))


def _author(opening: Line) -> str:
    """Return the process whose traceback this is: Ray passes on those of other processes."""
    match = OPENING.match(opening.text)
    return f"{match['name']} ip={match['ip']}" if match and match["name"] else opening.author


def _location(frames: Sequence[str]) -> str:
    """Return the location of the last frame; empty without frames."""
    if not (match := next(filter(None, map(FRAME.match, reversed(frames))), None)):
        return ""
    return f"at {PACKAGES.sub('', match['file'])}:{match['line']}{match['function'] or ''}"


def _distance(opening: Line, previous: str, message: tuple[str, ...]) -> int:
    if WRAPPER.search(message[0]):
        return 2
    texts = (previous, message[0])
    ends = not opening.level or WORKERS.search(previous) or any(map(FATAL.search, texts))
    return 0 if ends and not PEER.search(message[0]) else 1
