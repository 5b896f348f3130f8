"""A clone of this repository in a folder of its own, run with a PATH that holds nothing else."""

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
# What `inv` itself calls, and what the scripts of tests call.
TOOLS = ("cmp", "cp", "ln", "mkdir", "readlink", "sh")


class Said(NamedTuple):
    """How a run ended: its exit code, and what it printed, with every duration as `N s`."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, kw_only=True)
class Clone:
    """A tree with `inv` in it, and the folder that is its PATH."""

    tree: Path
    programs: Path

    def start(
        self, *arguments: str, via: Path | None = None, python: str = ""
    ) -> subprocess.Popen[str]:
        """Start `inv` from the root folder: by its path or another one, maybe with PYTHON set."""
        return subprocess.Popen(
            [str(via or self.tree / "inv"), *arguments],
            cwd="/",
            env={**os.environ, "PATH": str(self.programs), "PYTHON": python},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def inv(self, *arguments: str, via: Path | None = None, python: str = "") -> Said:
        """Run `inv` to its end."""
        return said(self.start(*arguments, via=via, python=python))

    def program(self, name: str, script: str) -> None:
        """Put a shell script on the PATH."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def link(self, name: str, target: str) -> None:
        """Put a program of this machine on the PATH."""
        (self.programs / name).symlink_to(target)


def said(process: subprocess.Popen[str]) -> Said:
    """Wait until a run has ended."""
    out, err = process.communicate(timeout=300)
    return Said(process.returncode, out, re.sub(r"\d+ s$", "N s", err, flags=re.MULTILINE))


def clone(folder: Path, *names: str) -> Clone:
    """Copy files and folders of the repository; no Python is on the PATH yet."""
    made = Clone(tree=folder / "a tree", programs=folder / "bin")
    for path in (made.programs, made.tree):
        path.mkdir()
    for name in names:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, made.tree / name)
    for tool in TOOLS:
        made.link(tool, str(shutil.which(tool)))
    return made


def python_without_ensurepip(folder: Path) -> str:
    """Return a Python like Debian's: this one, with a standard library that lacks `ensurepip`."""
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
