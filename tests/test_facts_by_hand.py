"""How a shell asks what `inv doctor` and `inv probe` ask."""

import subprocess

from cluster.facts import by_hand


def test_by_hand() -> None:
    """A shell gives the question to the very command, and nothing in it means anything to it."""
    question = "{\necho \"$((1 + 1))\" '$HOME' `echo in`\n}\n"
    script = by_hand.asked("spark1", by_hand.fed("sh -s", question))
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    expected = f"""\
# spark1: Ask for facts
sh -s <<'QUESTION'
{question}QUESTION
"""

    assert (expected, "2 $HOME in\n") == (script, done.stdout)
