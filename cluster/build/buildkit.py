"""What BuildKit prints while it builds (`--progress=plain`): its steps, and what they do now."""

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from cluster.rehearsal import installers
from cluster.settings.values import one_line

State = Literal["running", "cached", "done", "failed", "cancelled"]

LINE = re.compile(r"#(?P<number>\d{1,9}) (?P<text>.*)", re.DOTALL)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
"""BuildKit of Docker 20.10 prints that of each step, below its name."""
SAID = re.compile(r"\d+\.\d+(?: (?P<text>.*))?", re.DOTALL)
"""What the program of a step printed, after the seconds since the step began."""
DONE = re.compile(r"DONE (?P<seconds>\d+\.\d+)s")
ERROR = re.compile(r"ERROR(?:: (?P<why>.*))?", re.DOTALL)
LAYER = re.compile(
    r"\[(?P<stage>[^\]]*?) *(?P<number>\d+)/(?P<count>\d+)\] (?P<command>.*)", re.DOTALL
)
INSTRUCTION = re.compile(r"RUN\s+(?:--\S+\s+)*")
WORDS = re.compile(r""": *(?P<mark>["'])(?P<words>[A-Z][^"'$]+)(?P=mark) *(?:&&|;)""")
"""A command that does nothing: it is there to say what those after it do."""
SKIPPED = "..."
"""Printed when the lines of other steps follow."""
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[^\[]")
"""What a terminal would obey (ECMA-48)."""
EXIT = re.compile(r"exit code: \d+")
WRAPPED = re.compile(r"(?:ERROR: )?(?:failed to [^:]+: )*")
"""What BuildKit and its client put in front of what is wrong."""
NOT_FOUND = re.compile(r"load metadata for (?P<base>\S+)")
KEPT = 30
"""Lines that are remembered of a step."""
SHOWN = 8
WIDTH = 300
TITLE = 60
"""Characters of a step's name that are shown."""

COMPILED = re.compile(r"\[(?P<done>\d+)/(?P<all>\d+)\] ")
"""The count of ninja and of CMake's own make."""
PHASES = {
    re.compile(r"Get:\d+ "): "downloading system packages",
    re.compile(r"(?:Unpacking|Setting up) \S+ \("): "installing system packages",
    re.compile(r"Cloning into |Receiving objects: "): "fetching the source",
    re.compile(r"-- (?:The CXX compiler|Configuring done)"): "configuring",
    re.compile(r"Resolved \d+ packages? "): "fetching packages",
    re.compile(r"Installed \d+ packages? "): "compiling Python files",
    re.compile(r"Building wheel"): "configuring",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One of BuildKit's steps: a layer, or what it does around them."""

    number: int
    name: str
    state: State = "running"
    seconds: float = 0.0
    said: tuple[str, ...] = ()
    """The last lines that it printed."""
    error: str = ""

    @property
    def is_layer(self) -> bool:
        """Whether the Dockerfile asks for it."""
        return LAYER.match(self.name) is not None

    @property
    def is_base(self) -> bool:
        """Whether it only names the image below."""
        found = LAYER.match(self.name)
        return found is not None and found["command"].startswith("FROM ")

    @property
    def is_export(self) -> bool:
        """Whether it saves the image when all layers are there."""
        return self.name.startswith("exporting to ")

    @property
    def place(self) -> str:
        """The stage and the place in it; empty for what is no layer."""
        found = LAYER.match(self.name)
        return f"{found['stage']} {found['number']}/{found['count']}".strip() if found else ""

    @property
    def words(self) -> str:
        """What it does, in a few words."""
        found = LAYER.match(self.name)
        command = found["command"] if found else self.name.removeprefix("[internal] ")
        command = INSTRUCTION.sub("", command, count=1)
        words = WORDS.match(command)
        return _shortened(words["words"] if words else command)

    @property
    def title(self) -> str:
        """What people are shown: where it is, and what it does."""
        return f"{self.place}: {self.words}" if self.place else self.words


@dataclass
class Listener:
    """Takes line after line, and knows all steps so far."""

    steps: dict[int, Step] = field(default_factory=dict)
    """By number."""
    rest: list[str] = field(default_factory=list)
    """Lines that belong to no step: what is wrong with the whole build."""

    def hear(self, line: str) -> Step | None:
        """Take a line; return the step that it is about, as it is now."""
        text = plain(line)
        found = LINE.fullmatch(text)
        if found is None:
            self.rest = [*self.rest, text][-KEPT:] if text else self.rest
            return None
        number = int(found["number"])
        known = self.steps.get(number)
        step = heard(known, found["text"]) if known else Step(number=number, name=found["text"])
        self.steps[number] = step
        return step

    @property
    def layers(self) -> tuple[Step, ...]:
        """The images below, the layers in the order of their numbers, then the export."""
        steps = [self.steps[number] for number in sorted(self.steps)]
        layers = sorted(
            (step for step in steps if step.is_layer), key=lambda step: not step.is_base
        )
        return (*layers, *(step for step in steps if step.is_export))

    @property
    def began(self) -> bool:
        """Whether the engine took the build; number 0 only says who builds."""
        return any(self.steps)

    @property
    def advanced(self) -> bool:
        """Whether a layer came up: the base, at least, is there."""
        return any(step.is_layer and not step.is_base for step in self.steps.values())

    @property
    def failed(self) -> Step | None:
        """The first step that failed."""
        return next((step for step in self.steps.values() if step.state == "failed"), None)


def plain(line: str) -> str:
    """Return a line as a person may see it: of what overwrote itself the last, no control codes."""
    text = ESCAPE.sub("", line.rstrip("\r\n"))
    head = LINE.match(text)
    last = text.rpartition("\r")[2]
    if head and last != text and not LINE.match(last):
        stamp = re.match(r"#\d+ (?:\d+\.\d+ )?", text)
        last = f"{stamp[0] if stamp else ''}{last}"
    return one_line(last.replace("\t", "    ")).rstrip()


def heard(step: Step, text: str) -> Step:
    """Return a step after one more of its lines."""
    if text in {step.name, SKIPPED} or DIGEST.fullmatch(text):
        return step
    if text == "CACHED":
        return replace(step, state="cached")
    if text.startswith("CANCELED"):
        return replace(step, state="cancelled")
    if found := DONE.fullmatch(text):
        # What is cached can be looked at once more when it is exported, and is then done again.
        state: State = "cached" if step.state == "cached" else "done"
        return replace(step, state=state, seconds=float(found["seconds"]))
    if found := ERROR.fullmatch(text):
        return replace(step, state="failed", error=found["why"] or "")
    said = SAID.fullmatch(text)
    return replace(step, said=(*step.said, said["text"] or "" if said else text)[-KEPT:])


def news(step: Step) -> str:
    """Return what a step's last line tells a person who waits; mostly nothing."""
    line = step.said[-1] if step.said else ""
    if found := COMPILED.match(line):
        done, count = int(found["done"]), int(found["all"])
        return f"compiling, {min(done * 10 // max(count, 1), 10) * 10} %"
    phases = (words for pattern, words in PHASES.items() if pattern.match(line))
    return next(phases, installers.activity(line))


def failure(listener: Listener) -> tuple[str, tuple[str, ...]]:
    """Return what failed, as a sentence, and the lines that say why."""
    step = listener.failed
    if step is None:
        rest = [line for line in listener.rest if line.strip("-")]
        return (WRAPPED.sub("", rest[-1], count=1) if rest else "`docker build` failed"), ()
    why = WRAPPED.sub("", step.error, count=1)
    if found := NOT_FOUND.search(step.name):
        return f"the base image {found['base']} cannot be had", _excerpt((why,))
    code = EXIT.search(why)
    how = f"failed with {code[0].replace(':', '')}" if code else "failed"
    return f"{step.title}: {how}", _excerpt(step.said if code else (why,))


def _excerpt(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line[:WIDTH] for line in lines if line.strip())[-SHOWN:]


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= TITLE else f"{words[: TITLE - 1]}…"
