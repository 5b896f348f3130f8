"""One line of a log of Ray or vLLM, parsed: process, author, level, source, time and text."""

import re
from dataclasses import dataclass

QUIET = "DISVW"
"""First letters of the levels that report no failure: debug, info, success, verbose, warning."""
COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
PROCESS = re.compile(
    r"\((?P<name>raylet|autoscaler|\S* ?(?=pid=))(?P<suffix>[^()]*?)(?:, ip=(?P<ip>[^()]+))?\) ?"
)
REPEATED = re.compile(r" ?\[repeated \d+x across cluster\].*$")
DAY = r"(?:\d{4}-)?(?P<month>\d?\d)-?(?P<day>\d\d)"
TIME = r"(?P<time>\d\d:\d\d:\d\d(?:[.,]\d+)?)"
RANK = r"(?:\[rank\d+\]:)?"
HEADERS = (
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
"""Names of a process that does not know its rank yet."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A parsed line of a log."""

    process: str = ""
    """The prefix that all lines of the process share; empty for text that was printed directly."""
    author: str = ""
    """The process for people, with its rank: `RayWorkerProc Worker_TP1 ip=192.168.177.12`."""
    level: str = ""
    """The first letter of the level; empty without one, as in an uncaught traceback."""
    source: str = ""
    """The file and line that logged it."""
    text: str = ""
    time: str = ""
    """As `11-23 13:28:16.080`: without the year, which vLLM does not log."""

    @property
    def is_quiet(self) -> bool:
        """Whether the level says that the line reports no failure."""
        return self.level != "" and self.level in QUIET


def read(line: str) -> Line:
    """Parse a line of a log: remove its colours, process prefixes and header."""
    # A progress bar returns to the start of its line, and only its last state counts.
    states = COLOURS.sub("", line).splitlines()
    bare = next((state for state in reversed(states) if state.strip()), "")
    prefixes, bare = _split_prefixes(bare)
    header = next((match for pattern in HEADERS if (match := pattern.match(bare))), None)
    return Line(
        process=prefixes[0][0] if prefixes else "",
        author=_author(prefixes),
        level=header["level"][0] if header else "",
        source=(header["source"] or "") if header else "",
        text=REPEATED.sub("", bare[header.end() :] if header else bare).rstrip(),
        time=_time(header),
    )


def _time(header: re.Match[str] | None) -> str:
    """Return the time of a header in the one form that sorts; empty without a time."""
    fields = header.groupdict() if header else {}
    if not fields.get("time"):
        return ""
    return f"{fields['month']:0>2}-{fields['day']} {fields['time'].replace(',', '.')}"


def _split_prefixes(bare: str) -> tuple[list[re.Match[str]], str]:
    """Split off the process prefixes: Ray adds one, and vLLM's own log a second."""
    prefixes = []
    while match := PROCESS.match(bare):
        prefixes.append(match)
        bare = bare[match.end() :]
    return prefixes, bare


def _author(prefixes: list[re.Match[str]]) -> str:
    names = [name for prefix in prefixes if (name := prefix["name"].strip()) not in UNNAMED]
    addresses = [f"ip={prefix['ip']}" for prefix in prefixes if prefix["ip"]]
    return " ".join([*names, *addresses])
