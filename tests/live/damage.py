"""Damage to a copy under way: a cut link, a changed byte, a load that hangs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.machine import INTERFACE, Machine

# A `docker` that does something to what `docker load` reads, and passes on all other commands.
DAMAGE = """#!/bin/sh
PATH={path}
[ "$1" = load ] || exec docker "$@"
{python} -c '
import select, sys
at, out = {at}, sys.stdout.buffer
while chunk := bytearray(sys.stdin.buffer.read1(1 << 16)):
    if 0 <= at < len(chunk):
        {change}
    at -= len(chunk)
    out.write(chunk)
    out.flush()
' | docker "$@"
"""
FLIP = "chunk[at] ^= 1"
# Until the sender is gone: then a pipe says so even to someone who waits for nothing.
STALL = "wait = select.poll(); wait.register(0, 0); wait.poll(); break"


@contextmanager
def unplugged(host: Machine) -> Iterator[None]:
    """Cut a host's link without notice to either end."""
    command = ("ip", "link", "set", INTERFACE)
    host.run([*command, "down"], check=True)
    try:
        yield
    finally:
        host.run([*command, "up"], check=True)


@contextmanager
def flipped(host: Machine, at: int) -> Iterator[None]:
    """Change a bit of the byte `at` of all that `docker load` reads on a host."""
    with _damaged(host, FLIP, at):
        yield


@contextmanager
def stalled(host: Machine, at: int) -> Iterator[None]:
    """Let each `docker load` on a host read `at` bytes, then hang until the sender is gone."""
    with _damaged(host, STALL, at):
        yield


@contextmanager
def _damaged(host: Machine, change: str, at: int) -> Iterator[None]:
    program = host.folder / "first" / "docker"
    text = DAMAGE.format(path=host.path, python=sys.executable, at=at, change=change)
    host.put_program(program, text)
    try:
        yield
    finally:
        program.unlink()
