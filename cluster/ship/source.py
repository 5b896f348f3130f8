"""Where an image's layers come from: the engine's own files, or else `docker save`."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from types import TracebackType

from cluster.errors import NodeError, Problem
from cluster.host import host_problem
from cluster.ship import reading
from cluster.ship.asking import HERE
from cluster.ship.content import Content, Layer
from cluster.ship.reading import Reading
from cluster.ship.saved import Thinned
from cluster.ship.survey import Facts

READABLE = ("overlay2", "containerd")
STORAGE = (("storage", reading.direct), ("storage, read in a container", reading.contained))
AGAIN = "`inv build --no-cache`, or load the image anew"


class UnableError(Exception):
    """One way cannot read the image, and nothing has come of it: there are others."""


class Source(AbstractContextManager["Source"]):
    """An image of this machine's engine that is read once, within `with`."""

    def __init__(
        self, kind: str, program: Reading, content: Content | None, undo: ExitStack
    ) -> None:
        """Take a program that has begun, and what ends it."""
        self.kind = kind
        """How the image is read, for people."""
        self.content = content
        """What the image is. None when only the archive of `docker save` can be had: neither what
        is in it nor how long it will be is known before its end."""
        self._program = program
        self._undo = undo

    def __exit__(
        self, kind: type[BaseException] | None, its: BaseException | None, at: TracebackType | None
    ) -> None:
        """Do as `close`."""
        self.close()

    def close(self) -> None:
        """End the reading, however far it is; no process, container or file of it stays."""
        self._undo.close()

    @property
    def whole(self) -> bool:
        """Whether there is only the archive, `raw`, and no single layers to `read`."""
        return self.content is None

    def read(self, lowest: int) -> Iterator[tuple[Layer, Iterator[bytes]]]:
        """Yield each layer from this index on, and its bytes: all are taken before the next layer.

        A layer that is not what its digest says is a NodeError before its last bytes, as is one
        that cannot be read to its end.
        """
        assert self.content  # noqa: S101 (who reads has asked `whole`)
        self._program.tell(str(lowest))
        for layer in self.content.layers[lowest:]:
            yield layer, self._layer(layer)

    def raw(self, without: frozenset[str] = frozenset()) -> Iterator[bytes]:
        """Yield the archive for `docker load`, without the layers of these digests.

        Only engines from 25 on save a layer under its digest; what older ones save comes whole.
        The engine that loads the archive checks the digests. A NodeError says that it is not whole.
        """
        thinned = Thinned(without)
        try:
            while chunk := self._program.next():
                yield from thinned.feed(chunk)
        except ValueError as error:
            raise NodeError(_unsaved(f"that is no archive: {error}")) from error
        said = self._program.last_words()
        if self._program.process.returncode:
            raise NodeError(_unsaved(said))

    def _layer(self, layer: Layer) -> Iterator[bytes]:
        left, digest = layer.size, hashlib.sha256()
        while left:
            chunk = self._program.next(left)
            if not chunk:
                raise NodeError(_unread(layer, self._program.last_words()))
            digest.update(chunk)
            left -= len(chunk)
            if not left and f"sha256:{digest.hexdigest()}" != layer.digest:
                raise NodeError(_damaged(layer))
            yield chunk


def opened(image_id: str, facts: Facts) -> Source:
    """Begin to read an image of this machine's engine, in the quickest way that works.

    These are the engine's files, if this user may read them; else the same in a container of the
    image, if that has Python; else `docker save`. A NodeError says that there is no `docker`.
    """
    if facts.store in READABLE:
        for kind, begin in STORAGE:
            with suppress(UnableError, FileNotFoundError), ExitStack() as undo:
                program = undo.enter_context(begin(image_id, facts.root))
                return Source(kind, program, _content(program), undo.pop_all())
    return saved(image_id)


def saved(image_id: str) -> Source:
    """Begin to read an image in the way that works everywhere, and is the slowest."""
    with ExitStack() as undo:
        try:
            program = undo.enter_context(reading.piped(("docker", "save", image_id)))
        except FileNotFoundError as error:
            raise NodeError(host_problem(HERE, str(error))) from error
        return Source("docker save", program, None, undo.pop_all())


def _content(program: Reading) -> Content:
    """Read what comes before the layers."""
    text = b""
    while not text.endswith(b"\n"):
        if not (chunk := program.next()):
            raise UnableError(program.last_words())
        text += chunk
    said = json.loads(text)
    layers = tuple(Layer(**its) for its in said["layers"])
    return Content(config=said["config"].encode(), layers=layers)


def _damaged(layer: Layer) -> Problem:
    message = f"its copy of layer {_short(layer)} is damaged: its bytes have another digest"
    return Problem(place=HERE.name, message=message, remedy=AGAIN)


def _unread(layer: Layer, said: str) -> Problem:
    message = f"its copy of layer {_short(layer)} cannot be read: {said}"
    return Problem(place=HERE.name, message=message, remedy=AGAIN)


def _unsaved(said: str) -> Problem:
    return Problem(place=HERE.name, message=f"`docker save` failed: {said}")


def _short(layer: Layer) -> str:
    """Return a digest as far as Docker shows it."""
    return f"{layer.digest[:19]}…"
