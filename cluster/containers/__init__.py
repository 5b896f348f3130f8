"""The Docker runtime: a container on every node."""
