"""Runs scripts with the POSIX shell of this machine."""

import os
import subprocess


def shell(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, with these variables and this program's PATH."""
    return subprocess.run(
        ["/bin/sh", "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": os.environ["PATH"], **variables},
    )


def wait_for_file(path: str) -> None:
    """Wait until a file has content, at most 30 s."""
    shell(f"until test -s {path}; do sleep 0.01; done")
