"""What BuildKit prints while it builds (`--progress=plain`): its steps and their progress."""

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from cluster.rehearsal import installers
from cluster.settings.values import one_line

State = Literal["running", "cached", "done", "failed", "cancelled"]

LINE = re.compile(r"#(?P<number>\d{1,9}) (?P<text>.*)", re.DOTALL)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
"""BuildKit of Docker 20.10 prints a step's digest below its name."""
OUTPUT = re.compile(r"\d+\.\d+(?: (?P<text>.*))?", re.DOTALL)
"""A line that the program of a step printed, after the seconds since the step began."""
DONE = re.compile(r"DONE (?P<seconds>\d+\.\d+)s")
ERROR = re.compile(r"ERROR(?:: (?P<reason>.*))?", re.DOTALL)
LAYER = re.compile(
    r"\[(?P<stage>[^\]]*?) *(?P<number>\d+)/(?P<count>\d+)\] (?P<command>.*)", re.DOTALL
)
INSTRUCTION = re.compile(r"RUN\s+(?:--\S+\s+)*")
COMMENT = re.compile(r""": *(?P<mark>["'])(?P<words>[A-Z][^"'$]+)(?P=mark) *(?:&&|;)""")
"""A command without effect that describes the commands after it."""
INTERRUPTED = "..."
"""Printed before lines of other steps follow."""
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[^\[]")
"""A control sequence of a terminal (ECMA-48)."""
EXIT = re.compile(r"exit code: \d+")
PREFIX = re.compile(r"(?:ERROR: )?(?:failed to [^:]+: )*")
"""What BuildKit and its client print in front of an error."""
BASE = re.compile(r"load metadata for (?P<base>\S+)")
KEPT_LINES = 30
"""Lines of a step that are kept."""
EXCERPT_LINES = 8
EXCERPT_WIDTH = 300
TITLE_WIDTH = 60
"""Characters of a step's name that are shown."""

COMPILED = re.compile(r"\[(?P<done>\d+)/(?P<all>\d+)\] ")
"""The counter of ninja and of CMake's own make."""
ACTIVITIES = {
    re.compile(r"Get:\d+ "): "downloading system packages",
    re.compile(r"(?:Unpacking|Setting up) \S+ \("): "installing system packages",
    re.compile(r"Cloning into |Receiving objects: "): "fetching the source",
    re.compile(r"-- (?:The CXX compiler|Configuring done)"): "configuring",
    re.compile(r"Resolved \d+ packages? "): "fetching packages",
    re.compile(r"Installed \d+ packages? "): "compiling Python files",
    re.compile(r"Building wheel"): "configuring",
}


@dataclass(frozen=True, kw_only=True)
class BuildKitStep:
    """A step of BuildKit: a layer, or some other part of its work."""

    number: int
    name: str
    state: State = "running"
    seconds: float = 0.0
    output: tuple[str, ...] = ()
    """The last lines that it printed."""
    error: str = ""

    @property
    def is_layer(self) -> bool:
        """Whether it is an instruction of the Dockerfile."""
        return LAYER.match(self.name) is not None

    @property
    def is_base(self) -> bool:
        """Whether it only names the base image."""
        match = LAYER.match(self.name)
        return match is not None and match["command"].startswith("FROM ")

    @property
    def is_export(self) -> bool:
        """Whether it saves the image after the last layer."""
        return self.name.startswith("exporting to ")

    @property
    def summary(self) -> str:
        """What it does, in a few words."""
        match = LAYER.match(self.name)
        command = match["command"] if match else self.name.removeprefix("[internal] ")
        command = INSTRUCTION.sub("", command, count=1)
        comment = COMMENT.match(command)
        return _shortened(comment["words"] if comment else command)

    @property
    def title(self) -> str:
        """The summary, for a layer after its stage and its number there."""
        match = LAYER.match(self.name)
        position = f"{match['stage']} {match['number']}/{match['count']}: " if match else ""
        return f"{position.lstrip()}{self.summary}"


@dataclass
class BuildProgress:
    """All steps so far, from the lines that BuildKit has printed."""

    steps: dict[int, BuildKitStep] = field(default_factory=dict)
    """By number."""
    loose_lines: list[str] = field(default_factory=list)
    """Lines that belong to no step: errors of the whole build."""

    def read(self, line: str) -> BuildKitStep | None:
        """Read a line; return its step in the new state."""
        text = plain(line)
        match = LINE.fullmatch(text)
        if match is None:
            self.loose_lines = [*self.loose_lines, text][-KEPT_LINES:] if text else self.loose_lines
            return None
        number, text = int(match["number"]), match["text"]
        earlier = self.steps.get(number)
        step = updated(earlier, text) if earlier else BuildKitStep(number=number, name=text)
        self.steps[number] = step
        return step

    @property
    def layers(self) -> tuple[BuildKitStep, ...]:
        """The base images, the layers in the order of their numbers, then the export."""
        steps = [self.steps[number] for number in sorted(self.steps)]
        layers = sorted(
            (step for step in steps if step.is_layer), key=lambda step: not step.is_base
        )
        return (*layers, *(step for step in steps if step.is_export))

    @property
    def has_started(self) -> bool:
        """Whether the engine accepted the build; number 0 only names the builder."""
        return any(self.steps)

    @property
    def is_past_base(self) -> bool:
        """Whether a layer has begun, so that the base image is there."""
        return any(step.is_layer and not step.is_base for step in self.steps.values())

    @property
    def failed_step(self) -> BuildKitStep | None:
        """The first step that failed."""
        return next((step for step in self.steps.values() if step.state == "failed"), None)


def plain(line: str) -> str:
    """Return a line without control codes; of text that was overwritten, only the last version."""
    text = ESCAPE.sub("", line.rstrip("\r\n"))
    head = LINE.match(text)
    last = text.rpartition("\r")[2]
    if head and last != text and not LINE.match(last):
        prefix = re.match(r"#\d+ (?:\d+\.\d+ )?", text)
        last = f"{prefix[0] if prefix else ''}{last}"
    return one_line(last.replace("\t", "    ")).rstrip()


def updated(step: BuildKitStep, text: str) -> BuildKitStep:
    """Return a step after one more of its lines."""
    if text in {step.name, INTERRUPTED} or DIGEST.fullmatch(text):
        return step
    if text == "CACHED":
        return replace(step, state="cached")
    if text.startswith("CANCELED"):
        return replace(step, state="cancelled")
    if match := DONE.fullmatch(text):
        # The export may look at a cached layer once more, which is then done again.
        state: State = "cached" if step.state == "cached" else "done"
        return replace(step, state=state, seconds=float(match["seconds"]))
    if match := ERROR.fullmatch(text):
        return replace(step, state="failed", error=match["reason"] or "")
    match = OUTPUT.fullmatch(text)
    line = match["text"] or "" if match else text
    return replace(step, output=(*step.output, line)[-KEPT_LINES:])


def activity(step: BuildKitStep) -> str:
    """Return what a step is doing according to its last line; mostly empty."""
    line = step.output[-1] if step.output else ""
    if match := COMPILED.match(line):
        done, count = int(match["done"]), int(match["all"])
        return f"compiling, {min(done * 10 // max(count, 1), 10) * 10} %"
    activities = (text for pattern, text in ACTIVITIES.items() if pattern.match(line))
    return next(activities, installers.activity(line))


def failure(progress: BuildProgress) -> tuple[str, tuple[str, ...]]:
    """Return what failed, as a sentence, and the lines that show the reason."""
    step = progress.failed_step
    if step is None:
        lines = [line for line in progress.loose_lines if line.strip("-")]
        return (PREFIX.sub("", lines[-1], count=1) if lines else "`docker build` failed"), ()
    reason = PREFIX.sub("", step.error, count=1)
    if match := BASE.search(step.name):
        return f"the base image {match['base']} is not available", _excerpt((reason,))
    code = EXIT.search(reason)
    result = f"failed with {code[0].replace(':', '')}" if code else "failed"
    return f"{step.title}: {result}", _excerpt(step.output if code else (reason,))


def _excerpt(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line[:EXCERPT_WIDTH] for line in lines if line.strip())[-EXCERPT_LINES:]


def _shortened(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= TITLE_WIDTH else f"{words[: TITLE_WIDTH - 1]}…"
