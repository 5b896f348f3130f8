"""What Docker would not take is said before Docker says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.settings.docker_values import container, image, node_folder, shared_memory
from cluster.settings.values import Parse, WrongValueError

MIB = 1 << 20
DIGEST = f"@sha256:{'0f' * 32}"


def wrong(parse: Parse[object], text: str) -> tuple[str, str]:
    """Return what a parser says against a text."""
    with pytest.raises(WrongValueError) as caught:
        parse(text)
    return caught.value.message, caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        *("vllm-node", "vllm-node:cpu", "me/vllm_node:1.0", "a__b", "a--b"),
        *("localhost:5000/vllm-node:V1", "ghcr.io/me/vllm-node", f"vllm-node:1{DIGEST}"),
        f"vllm-node{DIGEST}",
    ],
)
def test_image(text: str) -> None:
    """The name of an image may have a registry, a tag and a digest."""
    assert text == image(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "Vllm", "-vllm", "vllm node", "vllm:", "vllm:a:b", "vllm/", "a___b", "--privileged"),
        *("vllm@sha256:12", f"vllm:{'t' * 129}", "vllm\n"),
    ],
)
def test_no_image(text: str) -> None:
    """What Docker would not take for an image is wrong, a flag above all."""
    message, remedy = wrong(image, text)

    assert "should be the name of an image: `" == message[:33]
    assert "write it like vllm-node or me/vllm:1" == remedy


def test_what_is_said_of_an_image() -> None:
    """The message shows the value."""
    assert "should be the name of an image: `Vllm`" == wrong(image, "Vllm")[0]


@pytest.mark.parametrize("text", ["vllm_node", "v1", "A.b-c_d", "a" * 63])
def test_container(text: str) -> None:
    """A name is what Docker takes for a container."""
    assert text == container(text)


@pytest.mark.parametrize("text", ["", "v", "_vllm", "vllm node", "a/b", "vllm\n", "a" * 64, "-it"])
def test_no_container(text: str) -> None:
    """A name that Docker would refuse is wrong, and so is one that is too long for a host name."""
    message, remedy = wrong(container, text)

    assert "should be the name of a container: `" == message[:36]
    assert "write it like vllm_node" == remedy


@pytest.mark.parametrize(
    "text, expected",
    [("host", None), ("16g", 16 << 30), ("64MiB", 64 * MIB), ("67108864", 64 * MIB)],
)
def test_shared_memory(text: str, expected: int | None) -> None:
    """Shared memory is a size, or the node's own."""
    assert expected == shared_memory(64 * MIB)(text)


@pytest.mark.parametrize("text", ["63MiB", "Host", "16 q"])
def test_no_shared_memory(text: str) -> None:
    """A size that is too small, or none, is wrong."""
    message, _ = wrong(shared_memory(64 * MIB), text)

    assert message.endswith(f": `{text}`")


@pytest.mark.parametrize("text", ["/", "/data/huggingface", "~/.cache/hugging face", "/a=b", "~/"])
def test_node_folder(text: str) -> None:
    """A folder on a node is absolute or below the home of the user there."""
    assert text == node_folder(text)


@pytest.mark.parametrize("text", ["", "~", "data", "./data", "~me/x", "/a:/b", "/a\nb", "$HOME/x"])
def test_no_node_folder(text: str) -> None:
    """What Docker would take for a volume, or divide at a colon, is wrong."""
    message, remedy = wrong(node_folder, text)

    assert "should be a folder on the nodes: `" == message[:34]
    assert "write it like ~/.cache/huggingface or /data/huggingface" == remedy


@pytest.mark.parametrize("parse", [image, container, node_folder])
@given(text=st.text())
def test_never_raises_anything_else(parse: Parse[str], text: str) -> None:
    """Any text is a value, to the letter, or wrong with a remedy."""
    try:
        found = parse(text)
    except WrongValueError as error:
        found = text if error.remedy else ""

    assert text == found
