"""Files of containers and volumes, as the engine hands them over: packed by tar."""

import io
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import APIClient


def archive(source: Path, target: str) -> bytes:
    """Return a tar archive with a file, and its folder, that root alone can read."""
    content, packed = source.read_bytes(), io.BytesIO()
    folder = tarfile.TarInfo(str(Path(target).parent).lstrip("/"))
    folder.type, folder.mode = tarfile.DIRTYPE, 0o755
    file = tarfile.TarInfo(target.lstrip("/"))
    file.size, file.mode, file.mtime = len(content), 0o600, time.time()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.addfile(folder)
        tar.addfile(file, io.BytesIO(content))
    return packed.getvalue()


def file(api: "APIClient", name: str, path: str) -> bytes | None:
    """Return a file of a container, running or not; None when it is not there."""
    from docker.errors import NotFound

    try:
        chunks, _ = api.get_archive(name, path)
    except NotFound:
        return None
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        member = tar.extractfile(tar.getmembers()[0])
        return member.read() if member else b""


def file_of_volume(api: "APIClient", volume: str, image: str, path: str) -> bytes | None:
    """Return a file that a volume outlived its container with; None when either is missing.

    `path` is where containers have it. A container that is never started gives access.
    """
    from docker.errors import APIError

    binds = [f"{volume}:{path.rpartition('/')[0]}"]
    try:
        api.inspect_volume(volume)  # mounting would make it
        host = api.create_host_config(binds=binds)
        created = api.create_container(image, host_config=host)["Id"]
    except APIError:
        return None
    try:
        return file(api, created, path)
    finally:
        api.remove_container(created, force=True)
