"""Reads an image once, and pours it into all lanes: each gets the layers that it lacks."""

from collections.abc import Iterator
from dataclasses import dataclass

from cluster.errors import NodeError
from cluster.ship import archive
from cluster.ship.content import Content, Layer
from cluster.ship.lane import Lane, Piece
from cluster.ship.source import Source


@dataclass(frozen=True, kw_only=True)
class Stream:
    """A lane, and where what it lacks begins."""

    lane: Lane
    lowest: int
    """The index of the first layer to send."""


Streams = tuple[Stream, ...]
Poured = tuple[Streams, Piece]
"""A piece, and who gets it."""


def pour(source: Source, streams: Streams, without: frozenset[str] = frozenset()) -> None:
    """Pour the image into the lanes until its end, or until none takes any more.

    `without` are digests of layers that all nodes have: an archive of `docker save` goes to all
    as it is, but for these.

    A lane that fails does not end the others. If the source fails, the part under way is broken off
    in all: it must not be taken for the whole.
    """
    try:
        content = source.content
        pieces = _parts(source, content, streams) if content else _whole(source, streams, without)
        for takers, piece in pieces:
            for taker in takers:
                taker.lane.pour(piece)
            if all(stream.lane.over for stream in streams):
                return
        for stream in streams:
            stream.lane.pour(None)
    except NodeError as error:
        for stream in streams:
            stream.lane.stop(str(error))


def _parts(source: Source, content: Content, streams: Streams) -> Iterator[Poured]:
    """Yield the archives piece by piece, and who gets which."""
    # Who has all layers lacks the configuration alone, and waits for nobody.
    done = tuple(stream for stream in streams if stream.lowest == len(content.layers))
    yield done, _start()
    yield done, _tail(content, len(content.layers))
    ends = archive.ends(content.layers)
    lowest = min(stream.lowest for stream in streams)
    for index, (layer, chunks) in enumerate(source.read(lowest), lowest):
        takers = tuple(stream for stream in streams if stream.lowest <= index)
        yield tuple(its for its in takers if index in {its.lowest, *ends}), _start()
        for piece in _layer(layer, chunks):
            yield takers, piece
        if index + 1 in ends:
            yield takers, _tail(content, index + 1)


def _whole(source: Source, streams: Streams, without: frozenset[str]) -> Iterator[Poured]:
    """Yield an archive of `docker save`; the end comes only when it has been saved well."""
    yield streams, Piece(plain=b"", opens=True)
    held = b""
    for chunk in source.raw(without):
        if held:
            yield streams, Piece(plain=held)
        held = chunk
    yield streams, Piece(plain=held, closes=True)


def _layer(layer: Layer, chunks: Iterator[bytes]) -> Iterator[Piece]:
    yield Piece(plain=archive.header(layer))
    yield from (Piece(plain=chunk) for chunk in chunks)
    if rest := archive.padding(layer):
        yield Piece(plain=rest)


def _start() -> Piece:
    return Piece(plain=archive.start(), opens=True)


def _tail(content: Content, end: int) -> Piece:
    return Piece(plain=archive.tail(content.part(end)), closes=True)
