"""Runs a benchmark by name: `python -m bench startup`, `python -m bench rehearsal --rounds 1`."""

import sys

from bench import rehearsal, startup

BENCHMARKS = {"startup": startup.main, "rehearsal": rehearsal.main}

name, *options = sys.argv[1:] or ["startup"]
if name not in BENCHMARKS:
    sys.exit(f"bench: no such benchmark: `{name}` (one of {', '.join(BENCHMARKS)})")
BENCHMARKS[name](options)
