"""Whether all that a machine said could be read."""

from collections.abc import Iterator

from cluster.checks.check import Check, Patient, each
from cluster.errors import Problem


def _unreadable(patient: Patient) -> Iterator[Problem]:
    if names := patient.facts.unreadable:
        message = f"parts of its answer could not be read: {', '.join(names)}"
        question = patient.cluster.inv("--dry", "doctor")
        yield patient.problem(message, f"a defect of this tool: {question} prints the question")


ANSWERS: tuple[Check, ...] = (
    Check(
        name="unreadable",
        severity="note",
        title="Every part of an answer can be read",
        looks_at="the answers to the question that `inv --dry doctor` prints",
        why="What could not be read counts as not said, so other findings may be wrong or missing.",
        remedy="A defect of this tool: report it with the part's answer, which that question gets.",
        source="cluster/facts, where each question stands beside what reads its answer",
        look=each(_unreadable),
    ),
)
