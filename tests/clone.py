"""A clone of this repository in a separate folder, run with a PATH of its own."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OWN_PYTHON = os.path.realpath(sys.executable)
# The programs that `inv` calls, and those that scripts of the tests call.
TOOLS = ("cmp", "cp", "ln", "mkdir", "readlink", "sh")


class RunResult(NamedTuple):
    """A run of `inv` that has ended: its exit code and its output."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Clone:
    """A copy of the repository, and the folder that is its PATH."""

    tree: Path
    programs: Path

    def start(
        self, *arguments: str, via: Path | None = None, python: str = ""
    ) -> subprocess.Popen[str]:
        """Start `inv` in the root folder: by its path or the link `via`, with PYTHON set."""
        return subprocess.Popen(
            [str(via or self.tree / "inv"), *arguments],
            cwd="/",
            env={**os.environ, "PATH": str(self.programs), "PYTHON": python},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def inv(self, *arguments: str, via: Path | None = None, python: str = "") -> RunResult:
        """Run `inv` to its end."""
        return ended(self.start(*arguments, via=via, python=python))

    def program(self, name: str, script: str) -> None:
        """Put a shell script on the PATH."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def link(self, name: str, target: str) -> None:
        """Put a program of this machine on the PATH."""
        (self.programs / name).symlink_to(target)


def ended(process: subprocess.Popen[str]) -> RunResult:
    """Wait for the end of a run; in its errors, every duration becomes `N s`."""
    out, err = process.communicate(timeout=300)
    return RunResult(process.returncode, out, re.sub(r"\d+ s$", "N s", err, flags=re.MULTILINE))


def clone(folder: Path, *names: str) -> Clone:
    """Copy files and folders of the repository; the PATH has no Python yet."""
    copy = Clone(tree=folder / "a tree", programs=folder / "bin")
    for path in (copy.programs, copy.tree):
        path.mkdir()
    for name in names:
        copy_entry = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy_entry(ROOT / name, copy.tree / name)
    for tool in TOOLS:
        copy.link(tool, str(shutil.which(tool)))
    return copy


def python_without_ensurepip(folder: Path) -> str:
    """Return a Python like Debian's, whose standard library lacks `ensurepip`."""
    library = Path(sysconfig.get_path("stdlib"))
    copy = folder / "debian" / sys.platlibdir / library.name
    program = folder / "debian" / "bin" / "python3"
    for path in (copy, program.parent):
        path.mkdir(parents=True)
    for entry in library.iterdir():
        if entry.name not in {"ensurepip", "site-packages"}:
            (copy / entry.name).symlink_to(entry)
    shutil.copy2(OWN_PYTHON, program)
    return str(program)
