"""What a shell does instead of asking all machines at once: one after the other."""

MARK = "QUESTION"
"""The line that ends a question; none has it."""


def asked(place: str, text: str) -> str:
    """Return a command that asks a machine, under a comment."""
    return f"# {place}: Ask for facts\n{text}\n"


def fed(line: str, question: str) -> str:
    """Return the shell text that gives a question to a command as its standard input."""
    return f"{line} <<'{MARK}'\n{question.rstrip()}\n{MARK}"
