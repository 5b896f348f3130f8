"""The command line as a person types it, rewritten in the explicit form that Invoke parses.

`serve Qwen/Qwen3-4B` becomes `serve --model Qwen/Qwen3-4B`, `exec ls -l` becomes `exec -- ls -l`,
and `help serve` becomes `--help serve`. Explicit forms stay as they are.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from cluster.errors import ClusterError, Problem
from cluster.node import DEFAULT
from cluster.text import did_you_mean

HELP = "help"
"""The word that shows help in place of a verb; as an option, `--help` works anywhere."""
OptionValue = Literal["none", "optional", "required"]
"""Whether an option takes a value."""


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of a verb, or of the program itself."""

    names: tuple[str, ...]
    """The long name first, then the form with `--no-` and the letter, each with its dashes."""
    value: OptionValue
    repeatable: bool = False
    help: str = ""


@dataclass(frozen=True, kw_only=True)
class Positional:
    """What the words without dashes after a verb stand for."""

    usage: str
    """The words as the help shows them: `[MODEL]`."""
    option: str = ""
    """The option that each word is a value of; without one, the words go after `--`."""
    required: bool = False
    """Whether the verb needs the option."""
    command: bool = False
    """Whether all that follows the first word is part of a command, options included."""
    last: bool = False
    """Whether the verb is the last one; otherwise the name of a verb starts the next one."""


@dataclass(frozen=True, kw_only=True)
class VerbUsage:
    """A verb: its description, its options in the order of the help, and its words."""

    name: str
    text: str
    """The description: one line, and after an empty line the details."""
    options: tuple[Option, ...]
    positional: Positional | None = None

    @property
    def summary(self) -> str:
        """The first line of the description."""
        return self.text.partition("\n")[0]


@dataclass(frozen=True, kw_only=True)
class ProgramUsage:
    """The verbs in the order of the journey, and the options that every verb takes."""

    verbs: Mapping[str, VerbUsage]
    options: tuple[Option, ...]


def arguments(usage: ProgramUsage, words: Iterable[str]) -> tuple[str, ...]:
    """Return the explicit form of a command line; a ClusterError says what is mistyped."""
    reader = _Reader(usage, words)
    reader.read()
    return reader.explicit


def completions(
    usage: ProgramUsage,
    words: Iterable[str],
    clusters: Callable[[], Iterable[str]],
    nodes: Callable[[str], Iterable[str]],
) -> tuple[str, ...]:
    """Return what the last of `words` may become; `nodes` takes the name of a cluster."""
    # Bash takes `--cluster=lab` for three words.
    *earlier, last = [word for word in words if word != "="] or [""]
    reader = _Reader(usage, earlier)
    try:
        reader.read(whole=False)
    except ClusterError:
        return ()
    values: Mapping[str, Callable[[], Iterable[str]]] = {
        "--cluster": clusters,
        "--node": lambda: nodes(reader.cluster),
    }
    option = reader.option_of_next_word(last)
    candidates = values.get(option, tuple)() if option else reader.next_words(last)
    return tuple(word for word in candidates if word.startswith(last))


class _Reader:
    """Reads words in their order, and keeps the explicit form of those that it has read."""

    def __init__(self, usage: ProgramUsage, words: Iterable[str]) -> None:
        self.verb: VerbUsage | None = None
        self.pending: Option | None = None
        """The option at the end of the words, if it still needs its value."""
        self._is_closed = False
        """Whether all words that follow go after `--`."""
        self.cluster = DEFAULT
        self._usage = usage
        self._words = deque(words)
        self._explicit: list[str] = []
        self._trailing: list[str] = []
        self._given: set[str] = set()

    @property
    def explicit(self) -> tuple[str, ...]:
        """The explicit form."""
        return (*self._explicit, *(("--", *self._trailing) if self._trailing else ()))

    @property
    def options(self) -> tuple[Option, ...]:
        """The options that may stand here."""
        return (*(self.verb.options if self.verb else ()), *self._usage.options)

    def option_of_next_word(self, word: str) -> str:
        """Return the option that a word at the end would be a value of; empty for none."""
        if self.pending:
            return self.pending.names[0]
        positional = self.verb.positional if self.verb else None
        is_value = positional and not self._is_closed and not word.startswith("-")
        return positional.option if positional and is_value else ""

    def next_words(self, word: str) -> tuple[str, ...]:
        """Return the verbs or the options that a word at the end may be."""
        if self._is_closed:
            return ()
        if self.verb is None and not word.startswith("-"):
            return (*self._usage.verbs, HELP)
        return tuple(name for option in self.options if option.help for name in option.names)

    def read(self, *, whole: bool = True) -> None:
        """Read all words; without `whole`, the line may end before a verb or value is complete."""
        while self._words:
            word = self._words.popleft()
            if word == "--":
                self._close()
            elif word.startswith("-") and word != "-":
                self._read_option(word)
            else:
                self._read_word(word)
        if whole and self.pending:
            raise self._problem(f"`{self.pending.names[0]}` needs a value")
        if whole:
            self._end_verb()

    def _read_option(self, word: str) -> None:
        name, equals, value = word.partition("=")
        if word[1] != "-" and len(name) > 2:  # noqa: PLR2004 (a dash and one letter)
            name, value = word[:2], word[2:]
            if self._option(name).value == "none":
                self._words.appendleft(f"-{value}")
                value = ""
            equals = value
        option = self._option(name)
        if option.names[0] == f"--{HELP}":
            self._words.extendleft([value] if equals else [])
            self._read_help()
        elif equals and option.value == "none":
            raise self._problem(f"`{name}` takes no value")
        elif equals:
            self._add(option, name, value)
        elif option.value != "none" and self._has_value(option):
            self._add(option, name, self._words.popleft())
        elif option.value == "required" and self._words:
            raise self._problem(f"`{option.names[0]}` needs a value")
        elif option.value == "required":
            self.pending = option
        else:
            self._explicit.append(name)

    def _option(self, name: str) -> Option:
        for option in self.options:
            if name in option.names:
                return option
        raise self._problem(f"no such option: `{name}`", self._nearest_option(name))

    def _nearest_option(self, name: str) -> str:
        options = [option for verb in self._usage.verbs.values() for option in verb.options]
        if self.verb is None and any(name in option.names for option in options):
            return "options of a verb go after the verb"
        names = [candidate for option in self.options for candidate in option.names]
        return did_you_mean(name, names, self._help)

    def _has_value(self, option: Option) -> bool:
        if not self._words:
            return False
        if option.value == "optional":
            return not self._words[0].startswith("-")
        options = self.verb.options if self.verb else ()
        return all(self._words[0] not in candidate.names for candidate in options)

    def _add(self, option: Option, name: str, value: str) -> None:
        if option.names[0] in self._given and not option.repeatable:
            raise self._problem(f"`{option.names[0]}` is given twice: `{value}`")
        self._given.add(option.names[0])
        if option.names[0] == "--cluster":
            self.cluster = value
        self._explicit += [f"{name}={value}"] if name.startswith("--") else [name, value]

    def _read_help(self) -> None:
        verb = self.verb.name if self.verb else next(iter(self._words), "")
        if verb not in {"", *self._usage.verbs}:
            raise self._unknown_verb(verb)
        self._explicit = [f"--{HELP}", *([verb] if verb else [])]
        self._words.clear()
        self.verb = None

    def _read_word(self, word: str) -> None:
        positional = self.verb.positional if self.verb else None
        starts_verb = word in self._usage.verbs and not (positional and positional.last)
        if self.verb is None and word == HELP:
            self._read_help()
        elif starts_verb:
            self._end_verb()
            self.verb = self._usage.verbs[word]
            self._explicit.append(word)
        elif self.verb is None:
            raise self._unknown_verb(word)
        elif positional is None:
            remedy = did_you_mean(word, self._usage.verbs, self._help)
            raise self._problem(f"unexpected word: `{word}`", remedy)
        elif positional.option:
            self._add(self._option(positional.option), positional.option, word)
        else:
            self._trailing.append(word)
            if positional.command:
                self._close()

    def _close(self) -> None:
        self._is_closed = True
        self._trailing += self._words
        self._words.clear()

    def _end_verb(self) -> None:
        positional = self.verb.positional if self.verb else None
        if positional and positional.required and positional.option not in self._given:
            raise self._problem(f"`{positional.option}` is missing", self._help)
        self._given.clear()

    @property
    def _help(self) -> str:
        return f"`inv help{' ' + self.verb.name if self.verb else ''}` lists the options"

    def _unknown_verb(self, word: str) -> ClusterError:
        remedy = did_you_mean(word, self._usage.verbs, "`inv help` lists the verbs")
        return self._problem(f"no such verb: `{word}`", remedy)

    def _problem(self, message: str, remedy: str = "") -> ClusterError:
        place = f"inv {self.verb.name}" if self.verb else "inv"
        return ClusterError(Problem(place=place, message=message, remedy=remedy))
