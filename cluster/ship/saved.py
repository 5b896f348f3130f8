"""The archive that `docker save` writes, without the layers that a node has."""

import re
from collections.abc import Iterator
from tarfile import BLOCKSIZE

BLOBS = "blobs/sha256/"
ABOUT_THE_NEXT = b"LKx"
"""Types of headers with a long name, a long link or records for the file after them (tar(5))."""
WITHOUT_CONTENT = b"123456"
"""Types of links, devices, folders and FIFOs: Go's archive/tar reads nothing after them."""
SIZE = re.compile(rb"\d+ size=(\d+)\n")
"""A record; Go's archive/tar puts a size there that eleven octal digits cannot hold."""


class Thinned:
    """An archive on its way from `docker save` to `docker load`, without some of its layers.

    Engines from 25 on name a layer's file after its digest. Older ones tell only in the end which
    layer a file is: of their archives, everything is passed on. So is all that names the layers:
    the engine that loads the archive has those that are left out, or says which one it lacks.
    """

    def __init__(self, without: frozenset[str]) -> None:
        """Leave out the layers of these digests."""
        self._without = {f"{BLOBS}{its.partition(':')[2]}".encode() for its in without}
        self._waiting = bytearray()
        """The header that is being read, after those that are about the same file."""
        self._at = 0
        """Where in it the header begins."""
        self._left = 0
        """Bytes of the file that are still to come, with what fills its last block."""
        self._kept = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take the next bytes of the archive, and yield what is to be passed on by now.

        What is no archive is a ValueError.
        """
        rest = memoryview(chunk)
        while rest:
            if self._left:
                part, rest = rest[: self._left], rest[self._left :]
                self._left -= len(part)
            else:
                lacking = self._at + BLOCKSIZE - len(self._waiting)
                self._waiting += rest[:lacking]
                part, rest = self._begun(), rest[lacking:]
            if self._kept and part:
                yield bytes(part)

    def _begun(self) -> memoryview:
        """Return the headers of a file, if the last has come and the file is kept."""
        header = self._waiting[self._at :]
        if len(header) < BLOCKSIZE:
            return memoryview(b"")
        if header[156] in ABOUT_THE_NEXT:
            self._at += BLOCKSIZE + _filled(_number(header[124:136]))
            return memoryview(b"")
        told = SIZE.search(self._waiting[: self._at])
        size = int(told[1]) if told else _number(header[124:136])
        self._left = 0 if header[156] in WITHOUT_CONTENT else _filled(size)
        self._kept = bytes(header[:100].rstrip(b"\0")) not in self._without
        headers = memoryview(bytes(self._waiting))
        self._waiting, self._at = bytearray(), 0
        return headers


def _filled(size: int) -> int:
    return size + -size % BLOCKSIZE


def _number(field: bytearray) -> int:
    """Read a number: octal digits, or GNU's bytes after a set bit (tar(5))."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    return int(field.rstrip(b" \0") or b"0", 8)
