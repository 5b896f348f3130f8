"""The program that `inv` starts: Invoke, with our pages, positional words and completion."""

import re
import shutil
import sys
from functools import cached_property
from pathlib import Path

from invoke import Argument, Collection, Exit, Program
from invoke.parser.context import to_flag

from cluster import help_pages
from cluster.command_line import (
    HELP,
    Option,
    OptionValue,
    ProgramUsage,
    VerbUsage,
    arguments,
    completions,
)
from cluster.errors import ClusterError
from cluster.machine import terminal
from cluster.machine.places import ROOT
from cluster.machine.verb import Verb
from cluster.node import CLUSTER_FILE, DEFAULT, env_folder
from cluster.options import SHARED

NAME = "spark-vllm-cluster"
PART_OF_THE_PROJECT = ("examples/", "rehearsal")
"""How the names of the clusters begin that every clone has."""
SHOWN = {
    "dry": "print the commands of a verb without running them",
    "help": "show this page, or the options of a verb",
    "version": "show the version",
}
"""The program's options on the start page; Invoke's remaining options work by their long names."""
WITH_LETTERS = {*SHOWN, "list"}
COMPLETE = "--complete"
COMPLETION_SCRIPT = "--print-completion-script"


def main(verbs: Collection, called: str, words: list[str]) -> None:
    """Run a command line; `called` is the path by which the shell found this program."""
    on_path = shutil.which(Path(called).name) == called
    terminal.Invocation.command = Path(called).name if on_path else called
    SparkProgram(verbs).run([called, *words])


class SparkProgram(Program):
    """Invoke's program, except for its pages and for the words that need no option."""

    def __init__(self, verbs: Collection) -> None:
        """`verbs` are in the order of the journey."""
        super().__init__(name=NAME, namespace=verbs)
        self._verbs = verbs

    def core_args(self) -> list[Argument]:
        """Return Invoke's own options; their letters are left to the options of verbs."""
        options: list[Argument] = super().core_args()
        for option in options:
            option.names = option.names if option.name in WITH_LETTERS else option.names[:1]
            option.optional = option.optional and option.name != "list"
            option.kind = bool if option.name == "list" else option.kind
        return options

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse the program's own options, and keep Python's cache of compiled modules on."""
        super().parse_core(argv)
        sys.dont_write_bytecode = False  # Invoke forbids it, which costs `--dry up` 0.05 s

    def normalize_argv(self, argv: list[str] | None) -> None:
        """Bring the command line into its explicit form, or print a shell completion."""
        called, *words = argv or sys.argv
        if words[:1] == [COMPLETE]:
            lines = completions(self.usage, words[2:], _clusters, _nodes)
            print("".join(f"{line}\n" for line in lines), end="")
            raise Exit
        if words[:1] == [COMPLETION_SCRIPT]:
            print(_completion_script(words[-1]), end="")
            raise Exit
        try:
            self.argv = [called, *arguments(self.usage, words)]
        except ClusterError as error:
            raise Exit(terminal.as_typed(str(error)), error.exit_code) from None
        sys.argv = self.argv  # where a verb looks for the words after `--`

    def print_help(self) -> None:
        """Print the start page."""
        terminal.show(help_pages.start_page(self.usage, _own_clusters(), terminal.width()))

    def list_tasks(self) -> None:
        """Print the start page, or the verbs in another format that is asked for."""
        if self.list_format == "flat":
            self.print_help()
        else:
            super().list_tasks()

    def print_task_help(self, name: str) -> None:
        """Print the page of a verb."""
        terminal.show(help_pages.verb_page(self.usage.verbs[name], terminal.width()))

    def print_version(self) -> None:
        """Print the name and the version of this project."""
        text = Path(ROOT, "pyproject.toml").read_text(encoding="utf-8")
        print(NAME, *re.findall(r'^version = "(.+)"$', text, re.MULTILINE))

    @cached_property
    def usage(self) -> ProgramUsage:
        """The verbs and the program's options, in plain types."""
        verbs = {name: _verb_usage(name, verb) for name, verb in self._verbs.tasks.items()}
        options = tuple(
            _option(argument, SHOWN.get(argument.names[0], "")) for argument in self.core_args()
        )
        return ProgramUsage(verbs=verbs, options=options)


def _verb_usage(name: str, verb: Verb) -> VerbUsage:
    shared = tuple(SHARED)
    options = sorted(
        verb.get_arguments(),
        key=lambda argument: shared.index(argument.name) if argument.name in SHARED else -1,
    )
    return VerbUsage(
        name=name,
        text=str(verb.__doc__),
        options=tuple(_option(argument, argument.help or "") for argument in options),
        positional=verb.words,
    )


def _option(argument: Argument, meaning: str) -> Option:
    names = [to_flag(name) for name in argument.names]
    if argument.kind is bool and argument.default is True:
        names.append(to_flag(f"no-{argument.names[0]}"))
    return Option(
        names=tuple(names),
        value=_option_value(argument),
        repeatable=argument.kind is list,
        help=meaning,
    )


def _option_value(argument: Argument) -> OptionValue:
    if argument.name == HELP or not argument.takes_value:
        return "none"
    return "optional" if argument.optional else "required"


def _own_clusters() -> tuple[str, ...]:
    """Return the clusters with env files, except for those that every clone has."""
    root = Path(ROOT, "env")
    folders = {path.parent.relative_to(root).as_posix() for path in root.glob("**/*.env")}
    names = sorted(name for name in folders if not name.startswith(PART_OF_THE_PROJECT))
    return tuple(DEFAULT if name == "." else name for name in names)


def _clusters() -> tuple[str, ...]:
    # The parser of env files takes 15 ms to import, which the start page does without.
    from cluster.machine.env_files import clusters

    return clusters(Path(ROOT))


def _nodes(cluster: str) -> tuple[str, ...]:
    """Return the names of a cluster's nodes, which are those of their files."""
    paths = sorted(Path(ROOT, env_folder(cluster)).glob("[!.]*.env"))
    return tuple(path.stem for path in paths if path.name != CLUSTER_FILE)


def _completion_script(shell: str) -> str:
    """Return the script that makes a shell complete `inv`."""
    scripts = {path.suffix[1:]: path for path in Path(__file__).parent.glob("completion.*")}
    if shell not in scripts:
        shells = ", ".join(sorted(scripts))
        raise Exit(f"{COMPLETION_SCRIPT}: no such shell: `{shell}` (one of {shells})", 1)
    return scripts[shell].read_text(encoding="utf-8")
