"""The shell programs that run on nodes, and how a shell runs them by hand."""

import subprocess

from cluster.facts import asking
from cluster.host import Host
from cluster.plan import script


def test_here_document() -> None:
    """A shell gives the question to the very command, and nothing in it means anything to it."""
    question = "{\necho \"$((1 + 1))\" '$HOME' `echo in`\n}\n"
    steps = asking.steps({"spark1": Host(name="spark1")}, {"spark1": question})
    text = script.text(steps)
    done = subprocess.run(["sh"], input=text, capture_output=True, text=True, check=True)
    expected = f"""\
# spark1: Ask for facts
sh -s <<'QUESTION'
{question}QUESTION
"""

    assert (expected, "2 $HOME in\n") == (text, done.stdout)
