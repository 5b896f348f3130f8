"""What a node computes with: a Spark's GPU, which shares the machine's memory, or another."""

from cluster.checks.check import Patient

SPARK = "GB10"
"""Part of the GPU's name (`NVIDIA GB10`)."""


def computes(patient: Patient) -> bool:
    """Tell whether a node is to have GPUs; namespaces compute on the CPU."""
    return patient.cluster.accelerator != "none" and patient.cluster.runtime != "process"


def is_spark(patient: Patient) -> bool:
    """Tell whether a node's first GPU is that of a Spark."""
    return any(SPARK in its.name for its in patient.facts.gpus.gpus[:1])


def unified(patient: Patient) -> bool:
    """Tell whether the GPU takes its memory from the machine's."""
    return computes(patient) and any(its.unified for its in patient.facts.gpus.gpus)


def driver(patient: Patient) -> str:
    """Return the version of the GPU's driver; empty when unknown."""
    return next((its.driver for its in patient.facts.gpus.gpus), "")


def runs(patient: Patient) -> bool:
    """Tell whether the cluster's own container runs: what it takes, it may have."""
    return patient.facts.docker.container == "running"
