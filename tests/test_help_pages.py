"""The start page and the pages of the verbs."""

from dataclasses import replace

import pytest

from cluster import help_pages
from cluster.command_line import Option, Positional, ProgramUsage, VerbUsage

SERVE = VerbUsage(
    name="serve",
    text="Serve a model.\n\n    Runs until\n    Ctrl-C.\n    ",
    options=(
        Option(names=("--model", "-m"), value="required", help="name of the model"),
        Option(
            names=("--gpu-memory-utilization",),
            value="required",
            help="share of the memory of each GPU, from 0 to 1",
        ),
        Option(names=("--explain",), value="optional", help="explain it"),
        Option(names=("--preflight", "--no-preflight"), value="none", help="check first"),
        Option(names=("--quiet", "-q"), value="none"),
    ),
    positional=Positional(usage="[MODEL]", option="--model"),
)
UP = VerbUsage(name="up", text="Start the cluster.", options=())
USAGE = ProgramUsage(
    verbs={"up": UP, "serve": SERVE},
    options=(
        Option(names=("--dry", "-R"), value="none", help="print the commands"),
        Option(names=("--hide",), value="required"),
    ),
)


def test_start_page() -> None:
    """The start page has the verbs in order, the shown options, and the next step."""
    expected = """\
inv VERB [--options]

  up     Start the cluster.
  serve  Serve a model.

  -R, --dry  print the commands

`inv help VERB` shows the options of a verb.
Next: `inv rehearse` tries it here, `inv probe` describes your machines.
"""

    assert expected == help_pages.start_page(USAGE, (), 80)


@pytest.mark.parametrize(
    "clusters, expected",
    [
        ((), "Next: `inv rehearse` tries it here, `inv probe` describes your machines."),
        (
            ("default", "lab"),
            "Next: `inv doctor` checks the machines, `inv up` starts the cluster.",
        ),
        (
            ("lab",),
            (
                "Next: `inv doctor --cluster lab` checks the machines, "
                "`inv up --cluster lab` starts the cluster."
            ),
        ),
    ],
)
def test_next_step(clusters: tuple[str, ...], expected: str) -> None:
    """The next step depends on the clusters that the user has described."""
    assert expected == help_pages.next_step(clusters)


def test_verb_page() -> None:
    """The page of a verb has its usage as typed, its description, and its options in order."""
    expected = """\
inv serve [--options] [MODEL]

Serve a model.

Runs until Ctrl-C.

  -m, --model MODEL        name of the
                           model
      --gpu-memory-utilization UTILIZATION
                           share of the
                           memory of
                           each GPU,
                           from 0 to 1
      --explain [EXPLAIN]  explain it
      --[no-]preflight     check first
  -q, --quiet
"""

    assert expected == help_pages.verb_page(SERVE, 40)


def test_page_of_a_verb_without_words() -> None:
    """A verb that takes no words shows none."""
    verb = replace(UP, options=SERVE.options[-1:])

    assert "inv up [--options]\n\nStart the cluster.\n\n  -q, --quiet\n" == help_pages.verb_page(
        verb, 80
    )
