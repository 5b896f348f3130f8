"""What a throw-away container of the cluster's image finds on a node, judged before a start.

docker/preflight.py answers, in a container with the network, devices, shared memory and limits of
the real one, while the real one does not run.
"""

from collections.abc import Iterator

from cluster.checks.containers import (
    container_facts,
    limited_memory_lock,
    no_gpus_in_containers,
    small_shared_memory,
)
from cluster.checks.rdma import (
    DEVICE_FILES,
    load_device_files,
    missing_device_files,
    no_device_problem,
)
from cluster.errors import Problem
from cluster.node_context import NodeContext
from cluster.plan.questions import LONGEST_BODY, fields

NO_GPUS = ("could not select device driver", "CDI device")
"""Docker's error if the NVIDIA Container Toolkit is not installed or not set up (moby/daemon)."""


def preflight_problems(context: NodeContext, text: str) -> Iterator[Problem]:
    """Yield what keeps a node from starting its container, from the output of the program.

    Docker's error when it refused the container counts as an answer.
    """
    answer = fields(text)
    facts = container_facts(answer)
    if not facts or "ray_error" not in answer:
        yield _no_facts(context, text)
        return
    if ray_error := answer["ray_error"]:
        message = f"{context.cluster.image} cannot import Ray: {ray_error}"
        yield context.problem(message, context.new_image)
    yield from missing_device_files(context, facts.device_files, load_device_files(context))
    privileged = f"write {context.assignment('PRIVILEGED', 'true')}{context.in_cluster_file}"
    yield from limited_memory_lock(context, facts, privileged)
    yield from small_shared_memory(context, facts, _more_shared_memory(context))


def _no_facts(context: NodeContext, text: str) -> Problem:
    """Return why there are no facts: Docker refused the container, or the image is another one."""
    output = text.strip().rpartition("\n")[2][:LONGEST_BODY] or "no answer"
    if DEVICE_FILES in output:
        return no_device_problem(context)
    if any(error in output for error in NO_GPUS):
        return no_gpus_in_containers(context, output)
    message = f"{context.cluster.image} cannot examine the node: {output}"
    return context.problem(message, context.new_image)


def _more_shared_memory(context: NodeContext) -> str:
    smaller = f"a smaller OBJECT_STORE_MEMORY{context.in_cluster_file}"
    if context.cluster.privileged or context.cluster.shm_size is None:
        show = context.command("ls -lS /dev/shm")
        return f"{show} shows what fills it; or write {smaller}"
    return f"write a larger SHM_SIZE or {smaller}"
