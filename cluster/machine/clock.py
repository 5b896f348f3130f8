"""The clock of this machine: the other rooms have none of their own."""

from time import monotonic, sleep, time

__all__ = ["monotonic", "sleep", "time"]
