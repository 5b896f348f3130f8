"""The next command to run, as errors name it."""

from cluster.node import DEFAULT, Cluster


def inv(cluster: Cluster, *words: str) -> str:
    """Return a command for this cluster, in backticks: `inv logs --node spark2`."""
    own = () if cluster.name in {"", DEFAULT} else ("--cluster", cluster.name)
    return f"`{' '.join(('inv', *words, *own))}`"
