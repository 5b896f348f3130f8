"""The log of a service in a container, read whole at first and at its end, else streamed."""

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from cluster.containers.inside import ContainerHandle

if TYPE_CHECKING:
    from cluster.containers.containment import Containment

FOLLOW = 'tail -c +{first} -F "$0" 2>/dev/null & read -r; kill "$!"'
"""Ends when its standard input does: that is when this program is gone, however it went."""


class ContainerLog:
    """A log that is read as it grows."""

    def __init__(self, trace: ContainerHandle, containment: "Containment") -> None:
        """Begin at the top."""
        self.trace = trace
        self._containment = containment
        self._lock = threading.Lock()
        self._new = bytearray()
        self._read = 0
        self._stream: threading.Thread | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a log: it outlives its container."""
        return self._whole() is not None

    def grown(self) -> list[str]:
        """Return the whole lines that are new since the last call; none when there is no log."""
        if self._stream is None:
            self._new += self._unread()
            script = FOLLOW.format(first=self._read + len(self._new) + 1)
            self._stream = threading.Thread(target=self._follow, args=(script,), daemon=True)
            self._stream.start()
        with self._lock:
            end = self._new.rfind(b"\n") + 1
            content = bytes(self._new[:end])
            del self._new[:end]
        return self._taken(content)

    def rest(self) -> list[str]:
        """Return all lines that are new, a last one that was never finished included."""
        unread = self._unread()
        with self._lock:
            self._new.clear()
        return self._taken(unread)

    def _follow(self, script: str) -> None:
        # Whatever ends the stream, `rest` finds what is missing.
        with suppress(Exception):
            for chunk in self._containment.stream(self.trace, script):
                with self._lock:
                    self._new += chunk

    def _unread(self) -> bytes:
        return (self._whole() or b"")[self._read :]

    def _whole(self) -> bytes | None:
        return self._containment.log(self.trace)

    def _taken(self, content: bytes) -> list[str]:
        self._read += len(content)
        return content.decode("utf-8", errors="replace").splitlines()
