"""The start page and the page of each verb."""

from collections.abc import Iterable
from textwrap import TextWrapper

from cluster.command_line import Option, ProgramUsage, VerbUsage
from cluster.node import DEFAULT

HELP_WIDTH = 24
"""The help of an option stands in the first line only if the option is no longer than this."""


def start_page(usage: ProgramUsage, clusters: tuple[str, ...], width: int) -> str:
    """Return all verbs and what to do next; `clusters` have env files of the user's own."""
    verbs = [(verb.name, verb.summary) for verb in usage.verbs.values()]
    options = [(label(option), option.help) for option in usage.options if option.help]
    return "\n".join(
        [
            "inv VERB [--options]",
            "",
            *_columns(verbs, width),
            "",
            *_columns(options, width),
            "",
            "`inv help VERB` shows the options of a verb.",
            *_wrapped(next_step(clusters), width),
            "",
        ]
    )


def next_step(clusters: tuple[str, ...]) -> str:
    """Return what a user with these clusters does next."""
    if not clusters:
        return "Next: `inv rehearse` tries it here, `inv probe` describes your machines."
    option = "" if DEFAULT in clusters else f" --cluster {clusters[0]}"
    return f"Next: `inv doctor{option}` checks the machines, `inv up{option}` starts the cluster."


def verb_page(verb: VerbUsage, width: int) -> str:
    """Return how a verb is typed, what it does, and its options."""
    words = f" {verb.positional.usage}" if verb.positional else ""
    options = [(label(option), option.help) for option in verb.options]
    paragraphs = (" ".join(paragraph.split()) for paragraph in verb.text.split("\n\n"))
    text = [line for paragraph in paragraphs for line in (*_wrapped(paragraph, width), "")]
    usage = f"inv {verb.name} [--options]{words}"
    return "\n".join([usage, "", *text, *_columns(options, width), ""])


def label(option: Option) -> str:
    """Return an option as the help shows it: `-c, --cluster CLUSTER`, `    --[no-]preflight`."""
    name, *aliases = option.names
    letter = next((f"{alias}, " for alias in aliases if not alias.startswith("--")), " " * 4)
    if any(alias.startswith("--no-") for alias in aliases):
        name = f"--[no-]{name[2:]}"
    value = name.rpartition("-")[2].upper()
    values = {"none": "", "optional": f" [{value}]", "required": f" {value}"}
    return f"{letter}{name}{values[option.value]}"


def _columns(rows: Iterable[tuple[str, str]], width: int) -> list[str]:
    """Return an indented table of two columns; the second one is wrapped."""
    table = tuple(rows)
    indent = 4 + max(len(left) for left, _ in table if len(left) <= HELP_WIDTH)
    lines: list[str] = []
    for left, right in table:
        first, *continuation = _wrapped(right, width - indent) or [""]
        if len(left) > HELP_WIDTH:
            lines += [f"  {left}", f"{' ' * indent}{first}"]
        else:
            lines.append((f"  {left}".ljust(indent) + first).rstrip())
        lines += [f"{' ' * indent}{line}" for line in continuation]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    return TextWrapper(width, break_on_hyphens=False).wrap(text)
