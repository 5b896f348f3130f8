"""The archive that carries a file into a container."""

import io
import tarfile
from pathlib import Path

from cluster.machine.containers import archive


def test_archive(tmp_path: Path) -> None:
    """The archive has the file's folder, and a file that only root can read."""
    source = tmp_path / "token"
    source.write_bytes(b"secret\n")
    with tarfile.open(fileobj=io.BytesIO(archive(source, "/run/secrets/ray-token"))) as tar:
        members = [(file.name, file.isdir(), oct(file.mode), file.uid, file.gid) for file in tar]
        content = tar.extractfile("run/secrets/ray-token")

        assert [
            ("run/secrets", True, "0o755", 0, 0),
            ("run/secrets/ray-token", False, "0o600", 0, 0),
        ] == members
        assert content
        assert b"secret\n" == content.read()
