"""One line of a log of Ray or vLLM without its decoration: who said it, how loud, and what."""

import re
from dataclasses import dataclass

QUIET = "DISVW"
"""First letters of the levels that announce no failure: debug, info, success, verbose, warning."""
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PROCESS = re.compile(
    r"\((?P<name>raylet|autoscaler|\S* ?(?=pid=))(?P<rest>[^()]*?)(?:, ip=(?P<ip>[^()]+))?\) ?"
)
REPEATED = re.compile(r" ?\[repeated \d+x across cluster\].*$")
DAY = r"(?:\d{4}-)?(?P<month>\d?\d)-?(?P<day>\d\d)"
TIME = r"(?P<time>\d\d:\d\d:\d\d(?:[.,]\d+)?)"
RANK = r"(?:\[rank\d+\]:)?"
HEADS = (
    # as in vllm/logger.py
    re.compile(rf"(?P<level>[A-Z]+) {DAY} {TIME} \[(?P<source>[^\]\s]+)\] ?"),
    # as in ray/_private/log.py, for its Python
    re.compile(rf"{DAY} {TIME}\s+(?P<level>[A-Z]+) (?P<source>\S+) -- "),
    # as in ray/util/logging.cc, for its C++
    re.compile(rf"\[{DAY} {TIME} (?P<level>[A-Z]) \d+ \d+\] (?:\(\S+\) )?(?P<source>\S+): "),
    # as in torch/_logging/_internal.py and c10/util/Logging.cpp
    re.compile(rf"{RANK}\[?(?P<level>[A-Z]){DAY} {TIME} (?:\d+ )?(?P<source>[^\]\s]+)\] "),
    # as in nccl/src/debug.cc
    re.compile(
        rf"(?:\[{DAY} {TIME}\] )?\S+:\d+:\d+ \[\d+\] "
        r"(?:(?P<source>\S+:\d+) (?:\(\w+\) )?)?NCCL (?P<level>WARN|INFO) "
    ),
    # as in uvicorn/logging.py
    re.compile(r"(?P<level>INFO|WARNING|ERROR|CRITICAL)(?P<source>):\s+"),
)
UNNAMED = ("", "MainProcess", "Worker")
"""What a process is called before it knows its rank."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """What a process said in one line."""

    process: str = ""
    """The prefix that all lines of the process share; empty for what was printed directly."""
    who: str = ""
    """The same for people, with the rank: `RayWorkerProc Worker_TP1 ip=192.168.177.12`."""
    level: str = ""
    """The first letter of the level; empty when there is none, as in an uncaught traceback."""
    source: str = ""
    """The file and line that logged it."""
    text: str = ""
    time: str = ""
    """When, as `11-23 13:28:16.080`: without the year, which vLLM does not tell."""

    @property
    def quiet(self) -> bool:
        """Whether the level says that this is no failure."""
        return self.level != "" and self.level in QUIET


def read(line: str) -> Line:
    """Take the colours, the names of the processes and the head off a line of a log."""
    # A progress bar returns to the start of its line, and only its last state counts.
    states = COLOURS.sub("", line).splitlines()
    bare = next((state for state in reversed(states) if state.strip()), "")
    names, rest = _names(bare)
    head = next((found for pattern in HEADS if (found := pattern.match(rest))), None)
    return Line(
        process=names[0][0] if names else "",
        who=_who(names),
        level=head["level"][0] if head else "",
        source=(head["source"] or "") if head else "",
        text=REPEATED.sub("", rest[head.end() :] if head else rest).rstrip(),
        time=_time(head),
    )


def _time(head: re.Match[str] | None) -> str:
    """Bring the times of several formats into one that sorts."""
    told = head.groupdict() if head else {}
    if not told.get("time"):
        return ""
    return f"{told['month']:0>2}-{told['day']} {told['time'].replace(',', '.')}"


def _names(bare: str) -> tuple[list[re.Match[str]], str]:
    """Split the names of processes off: Ray adds one, and vLLM's own log another."""
    names = []
    while found := PROCESS.match(bare):
        names.append(found)
        bare = bare[found.end() :]
    return names, bare


def _who(names: list[re.Match[str]]) -> str:
    known = [name for found in names if (name := found["name"].strip()) not in UNNAMED]
    addresses = [f"ip={found['ip']}" for found in names if found["ip"]]
    return " ".join([*known, *addresses])
