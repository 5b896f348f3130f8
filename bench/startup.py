"""How long `inv` takes to start, compared with Invoke alone in the same environment."""

import argparse
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from bench import rounds

ROOT = Path(__file__).resolve().parent.parent
INV = str(ROOT / "inv")
NOTHING = """from invoke import task

@task
def nothing(c):
    '''Do nothing.'''
"""
DRY = ("--dry", "up", "--cluster")
CLUSTERS = ("rehearsal", "examples/two-sparks")
"""One of each runtime."""


def main(arguments: list[str]) -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="bench startup", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="measured runs of each command")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "tasks.py").write_text(NOTHING, encoding="utf-8")
        bare = (str(ROOT / ".venv/bin/python"), "-I", "-m", "invoke", "--search-root", folder)
        contenders = {
            "bare `invoke --list`": partial(seconds, *bare, "--list"),
            "`inv --list`": partial(seconds, INV, "--list"),
        }
        for name in CLUSTERS:
            contenders[f"`inv {' '.join((*DRY, name))}`"] = partial(seconds, INV, *DRY, name)
        results = rounds.interleaved(contenders, options.rounds, warmups=1)
    print(rounds.table(rounds.rows(results), digits=3))


def seconds(*argv: str) -> float:
    """Run a command to its end and return the seconds that it took."""
    start = time.perf_counter()
    subprocess.run(argv, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start
