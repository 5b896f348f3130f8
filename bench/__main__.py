"""Runs a benchmark by name: `python -m bench startup`, `python -m bench rehearsal --rounds 1`."""

import sys

from bench import build, containers, doctor, rehearsal, ship, startup

BENCHMARKS = {
    "build": build.main,
    "containers": containers.main,
    "doctor": doctor.main,
    "rehearsal": rehearsal.main,
    "ship": ship.main,
    "startup": startup.main,
}

name, *options = sys.argv[1:] or ["startup"]
if name not in BENCHMARKS:
    sys.exit(f"bench: no such benchmark: `{name}` (choose from {', '.join(BENCHMARKS)})")
BENCHMARKS[name](options)
