"""Settings that Docker reads: names of images and containers, shared memory, folders of a node."""

import re

from cluster.settings.values import Parse, WrongValueError, shown, size

# distribution/reference: [host[:port]/]path[:tag][@digest], the path in small letters.
HOST = r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?"
NAME = r"[a-z0-9]+(?:(?:[._/]|__|-+)[a-z0-9]+)*"
IMAGE = re.compile(
    rf"{HOST}{NAME}(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?"
)
CONTAINER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,62}")  # moby, daemon/names
NODE_FOLDER = re.compile(r"~?/[^:,\\\x00-\x1f]*")
"""What `--volume` takes on its left side: a colon would end it."""


def image(text: str) -> str:
    """Return the name of an image, with or without a tag."""
    if not IMAGE.fullmatch(text):
        raise WrongValueError(
            f"should be the name of an image: {shown(text)}", "write it like vllm-node or me/vllm:1"
        )
    return text


def container(text: str) -> str:
    """Return the name of a container."""
    if not CONTAINER.fullmatch(text):
        raise WrongValueError(
            f"should be the name of a container: {shown(text)}", "write it like vllm_node"
        )
    return text


def shared_memory(lowest: int) -> Parse[int | None]:
    """Return the parser of a size of shared memory; `host` is None."""
    return lambda text: None if text == "host" else size(lowest)(text)


def node_folder(text: str) -> str:
    """Return a folder on a node: an absolute path, or one below `~/`."""
    if not NODE_FOLDER.fullmatch(text):
        raise WrongValueError(
            f"should be a folder on the nodes: {shown(text)}",
            "write it like ~/.cache/huggingface or /data/huggingface",
        )
    return text
