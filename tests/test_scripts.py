"""The shell programs that run on nodes, and how a shell runs them by hand."""

import subprocess

from cluster import scripts


def test_here_document() -> None:
    """A shell gives the question to the very command, and nothing in it means anything to it."""
    question = "{\necho \"$((1 + 1))\" '$HOME' `echo in`\n}\n"
    script = scripts.titled("spark1", "Ask for facts", scripts.here_document("sh -s", question))
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    expected = f"""\
# spark1: Ask for facts
sh -s <<'QUESTION'
{question}QUESTION
"""

    assert (expected, "2 $HOME in\n") == (script, done.stdout)
