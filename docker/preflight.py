"""Print as one line of JSON what a container of the cluster's image finds on a node.

Runs in a throw-away container, with the devices, the shared memory and the limits of the real one.
It prints facts and judges nothing. Beside the facts of a container, which `run-cluster-node` reads
as well, it tries whether Ray can be imported.
"""

import json

from cluster.machine.container_view import container_fields


def ray_error() -> str | None:
    """Import Ray; return the first line of the error if that fails."""
    try:
        import ray  # noqa: F401 (only whether it can be imported matters)
    except Exception as error:  # noqa: BLE001 -- a broken library raises anything
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None


if __name__ == "__main__":
    print(json.dumps({"ray_error": ray_error(), **container_fields("/")}, ensure_ascii=False))
