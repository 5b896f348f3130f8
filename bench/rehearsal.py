"""How long the rehearsal takes to its first answer, compared with its commands typed by hand."""

import argparse
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bench import rounds

ROOT = Path(__file__).resolve().parent.parent
ANSWER = {"sh bench/by_hand.sh": "{", "./inv rehearse": "answer"}
"""Each command, and the beginning of the line with which it prints the model's answer."""


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="bench rehearsal", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="measured runs of each command")
    parser.add_argument("--warmups", type=int, default=1, help="unmeasured rounds before that")
    options = parser.parse_args(arguments)
    contenders = {
        f"`{command}`": partial(seconds, command, prefix) for command, prefix in ANSWER.items()
    }
    results = rounds.interleaved(contenders, options.rounds, options.warmups)
    print(rounds.table(rounds.rows(results), digits=1))


def seconds(command: str, prefix: str) -> float:
    """Run a command to its end; return the seconds from its start to the line of the answer."""
    elapsed = 0.0
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command.split(),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        for line in process.stdout or ():
            if not elapsed and line.startswith(prefix):
                elapsed = time.perf_counter() - start
        if process.wait() or not elapsed:
            errors.seek(0)
            sys.exit(f"bench: `{command}` ended without an answer\n{errors.read()}")
    print(f"{command}: {elapsed:.1f} s", file=sys.stderr, flush=True)
    return elapsed
