"""Reads an image of this machine's engine: from the engine's own files, or else `docker save`."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass

from cluster.errors import NodeError, Problem
from cluster.facts.docker import Docker
from cluster.host import THIS_MACHINE, host_problem
from cluster.machine import files, python, streams
from cluster.machine.places import ROOT
from cluster.machine.streams import StreamReader
from cluster.ship.archive import ImageContent, ImageLayer, LayerFilter
from cluster.ship.problems import last_line

READABLE = ("overlay2", "containerd")
"""Stores whose files the program knows."""
PROGRAM = f"{ROOT}/docker/layer_reader.py"
CONTAINERD = "/var/lib/containerd"
"""Where containerd keeps its files when it is a service of its own."""
# Root, because the files are root's, but without a network and without its other rights. An image
# for GPUs would have them mounted where NVIDIA's runtime is the default.
CONTAINER = (
    *("docker", "run", "--rm", "--interactive", "--pull", "never", "--network", "none"),
    *("--log-driver", "none", "--user", "0:0", "--userns", "host", "--cap-drop", "ALL"),
    *("--cap-add", "DAC_OVERRIDE", "--security-opt", "label=disable"),
    *("--env", "NVIDIA_VISIBLE_DEVICES=void", "--entrypoint", "python3"),
)
REMEDY = "`inv build --no-cache`, or load the image again"


class UnreadableError(Exception):
    """The image cannot be read from this kind of source, and nothing has been sent."""


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """An image of this machine's engine that is being read, once."""

    kind: str
    """The kind of source, for people."""
    program: StreamReader
    content: ImageContent | None
    """None if there is only the archive of `docker save`: what is in it and how long it is shows
    only at its end."""

    def layers(self, first: int) -> Iterator[tuple[ImageLayer, Iterator[bytes]]]:
        """Yield each layer from this index on, and its bytes: take all of them before the next.

        A layer that does not match its digest is a NodeError before its last bytes, as is one that
        cannot be read to its end.
        """
        assert self.content  # noqa: S101 (the caller has looked; the types cannot know)
        self.program.send_line(str(first))
        for layer in self.content.layers[first:]:
            yield layer, self._bytes(layer)

    def archive(self, omit: frozenset[str] = frozenset()) -> Iterator[bytes]:
        """Yield the archive for `docker load`, without the layers of these digests.

        Only engines from 25 on save a layer under its digest; the archives of older ones come
        whole. The engine that loads the archive checks the digests. An archive that is not complete
        is a NodeError.
        """
        layer_filter = LayerFilter(omit)
        try:
            while chunk := self.program.read():
                yield from layer_filter.feed(chunk)
        except ValueError as error:
            raise NodeError(_save_failed(f"its output is no archive: {error}")) from error
        completed = self.program.end()
        if completed.code:
            raise NodeError(_save_failed(last_line(completed.error)))

    def _bytes(self, layer: ImageLayer) -> Iterator[bytes]:
        remaining, checksum = layer.size, hashlib.sha256()
        while remaining:
            chunk = self.program.read(remaining)
            if not chunk:
                reason = f"cannot be read: {last_line(self.program.end().error)}"
                raise NodeError(_bad_layer(layer, reason))
            checksum.update(chunk)
            remaining -= len(chunk)
            if not remaining and f"sha256:{checksum.hexdigest()}" != layer.digest:
                raise NodeError(_bad_layer(layer, "is damaged: its bytes have another digest"))
            yield chunk


def direct(image_id: str, root: str) -> AbstractContextManager[StreamReader]:
    """Read the engine's files as this user."""
    return streams.reader((python.EXECUTABLE, PROGRAM, image_id, "-", root, CONTAINERD))


def contained(image_id: str, root: str) -> AbstractContextManager[StreamReader]:
    """Read the engine's files in a container of the image.

    It writes to a FIFO, which takes half as long as a container's output.
    """
    name = streams.unique_name("ship")
    roots = (root, *((CONTAINERD,) if files.exists(CONTAINERD) else ()))

    def command(folder: str) -> tuple[str, ...]:
        mounts = ((folder, "/ship"), *((path, f"/{n}") for n, path in enumerate(roots)))
        return (
            *(*CONTAINER, "--name", name),
            *(word for source, target in mounts for word in ("--mount", _mount(source, target))),
            *(image_id, "/ship/program", image_id, "/ship/stream"),
            *(target for _, target in mounts[1:]),
        )

    return streams.fifo_reader(command, PROGRAM, ("docker", "rm", "--force", name))


def _mount(source: str, target: str) -> str:
    """Return a value of `--mount`, which reads it as a line of CSV."""
    return f'type=bind,"source={source}",target={target},readonly'


STORAGE = (("storage", direct), ("storage, read in a container", contained))
"""How an engine's files can be read, the fastest first."""


@contextmanager
def opened(image_id: str, docker: Docker) -> Iterator[ImageSource]:
    """Read an image of this machine's engine in the fastest way that works.

    The first is the engine's files, if this user may read them; then the same in a container of the
    image, if that has Python; then `docker save`. At the end of the block no process, container or
    file of it is left. A NodeError means that there is no `docker`.
    """
    with ExitStack() as stack:
        yield _storage(image_id, docker, stack) or stack.enter_context(saved(image_id))


def _storage(image_id: str, docker: Docker, stack: ExitStack) -> ImageSource | None:
    for kind, reader in STORAGE if docker.store in READABLE else ():
        with suppress(UnreadableError, FileNotFoundError), ExitStack() as attempt:
            program = attempt.enter_context(reader(image_id, docker.root))
            source = ImageSource(kind=kind, program=program, content=_content(program))
            stack.push(attempt.pop_all())
            return source
    return None


@contextmanager
def saved(image_id: str) -> Iterator[ImageSource]:
    """Read an image by `docker save`, which works everywhere and is the slowest way."""
    with ExitStack() as stack:
        try:
            program = stack.enter_context(streams.reader(("docker", "save", image_id)))
        except FileNotFoundError as error:
            raise NodeError(host_problem(THIS_MACHINE, str(error))) from error
        yield ImageSource(kind="docker save", program=program, content=None)


def _content(program: StreamReader) -> ImageContent:
    """Read the line before the layers."""
    text = b""
    while not text.endswith(b"\n"):
        if not (chunk := program.read()):
            raise UnreadableError(last_line(program.end().error))
        text += chunk
    image = json.loads(text)
    layers = tuple(ImageLayer(**layer) for layer in image["layers"])
    return ImageContent(config=image["config"].encode(), layers=layers)


def _bad_layer(layer: ImageLayer, reason: str) -> Problem:
    """Return the problem with a layer; its digest is as short as Docker shows it."""
    message = f"layer {layer.digest[:19]}… {reason}"
    return Problem(place=THIS_MACHINE.name, message=message, remedy=REMEDY)


def _save_failed(reason: str) -> Problem:
    return Problem(place=THIS_MACHINE.name, message=f"`docker save` failed: {reason}")
