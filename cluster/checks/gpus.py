"""Whether a node has its GPUs, containers get them, and nobody else computes on them."""

import re
from collections.abc import Iterator

from cluster.checks.check import Check, Patient, each
from cluster.checks.memory import short
from cluster.checks.spark import computes, is_spark, runs
from cluster.errors import Problem
from cluster.preflight.preflight import SET_UP

TOOLKIT = (1, 17, 7)
"""What NVIDIA asks for on a Spark (DGX Spark porting guide, software dependencies)."""
NUMBERS = re.compile(r"\d+")
CDI = "nvidia.com/gpu=all"
STUCK = range(500, 800)
"""MHz around 702, where a clock is stuck; at rest it has 208, at work more than twice as many."""


def _gpu(patient: Patient) -> Iterator[Problem]:
    its = patient.facts.gpus
    wanted, has = patient.node.gpus, len(its.gpus)
    if computes(patient) and its.silent:
        remedy = f"{patient.on('nvidia-smi')} must answer; {patient.on('sudo dmesg')} may say why"
        yield patient.problem(f"does not tell of its GPUs: {its.error}", f"{remedy} it does not")
    elif computes(patient) and not has:
        without = f"write ACCELERATOR=none in {patient.cluster_file}, for CPUs only"
        message = f"has no GPU: {its.error or 'nvidia-smi lists none'}"
        yield patient.problem(message, f"{patient.on('nvidia-smi')} must list one; or {without}")
    elif computes(patient) and has < wanted:
        remedy = f"{patient.on('nvidia-smi -L')} lists them; or write GPUS={has}"
        yield patient.problem(
            f"has {has} of {wanted} GPUs (GPUS)", f"{remedy} in {patient.node_file}"
        )


def _gpu_docker(patient: Patient) -> Iterator[Problem]:
    """Find what Docker lacks; whoever has no GPU lacks more than that."""
    if not _boxed(patient) or not patient.facts.gpus.gpus:
        return
    if patient.cluster.accelerator == "cdi" and not _devices(patient):
        message = f"Docker cannot give containers GPUs: no CDI device {CDI}"
        yield patient.problem(message, _again(patient, SET_UP["cdi"], "nvidia"))
    elif patient.cluster.accelerator == "nvidia" and not _hook(patient):
        install = patient.on("sudo apt-get install nvidia-container-toolkit")
        again = _again(patient, SET_UP["nvidia"], "cdi")
        message = "Docker cannot give containers GPUs: it has no runtime `nvidia`"
        yield patient.problem(message, f"{install}, {again}")


def _again(patient: Patient, make: str, other: str) -> str:
    """Return how to set Docker up, and the setting that may do without."""
    restart = patient.on("sudo systemctl restart docker")
    instead = f"or write ACCELERATOR={other} in {patient.cluster_file}"
    return f"{patient.on(make)}, then {restart}; {instead}"


def _devices(patient: Patient) -> bool:
    """Tell whether CDI knows the GPUs: by their name, or by a file for them."""
    known = patient.facts.docker.cdi
    return CDI in known or any("nvidia" in its for its in known if "=" not in its)


def _hook(patient: Patient) -> bool:
    """Tell whether `--gpus` works: by the toolkit's hook on the PATH (moby/daemon), or by CDI."""
    its = patient.facts.docker
    return "nvidia" in its.runtimes or bool(its.toolkit) or _devices(patient)


def _toolkit(patient: Patient) -> Iterator[Problem]:
    version = patient.facts.docker.toolkit
    numbers = tuple(int(its) for its in NUMBERS.findall(version)[:3])
    if _boxed(patient) and numbers and numbers < TOOLKIT:
        least = ".".join(str(its) for its in TOOLKIT)
        message = f"has NVIDIA Container Toolkit {version}; NVIDIA asks for {least} on a Spark"
        new = "sudo apt-get install --only-upgrade nvidia-container-toolkit"
        yield patient.problem(message, patient.on(new))


def _busy(patient: Patient) -> Iterator[Problem]:
    """Find others on the GPU; where they have all the memory, that is what is wrong."""
    clients = patient.facts.gpus.clients
    if computes(patient) and clients and not runs(patient) and not short(patient):
        who = ", ".join(f"{its.name} ({_details(its.pid, its.memory)})" for its in clients)
        pids = ",".join(str(its.pid) for its in clients)
        yield patient.problem(
            f"others compute on its GPU: {who}", f"{patient.on(f'ps -fp {pids}')} shows whose"
        )


def _details(pid: int, memory: int | None) -> str:
    return str(pid) if memory is None else f"{pid}, {memory} MiB"


def _clock(patient: Patient) -> Iterator[Problem]:
    stuck = tuple(its.clock for its in patient.facts.gpus.gpus if its.clock in STUCK)
    if computes(patient) and is_spark(patient) and patient.facts.gpus.clients and stuck:
        message = f"its GPU runs at {stuck[0]} MHz while programs use it"
        look = patient.on("nvidia-smi --query-gpu=clocks.sm,utilization.gpu --format=csv")
        remedy = "switch it off, pull its plug and start it again: a restart is not enough"
        yield patient.problem(message, f"{look} shows whether it computes; if so, {remedy}")


def _boxed(patient: Patient) -> bool:
    """Tell whether a container is to get GPUs from a Docker that answers."""
    return computes(patient) and not patient.facts.docker.error


GPUS: tuple[Check, ...] = (
    Check(
        name="gpu",
        severity="blocks",
        title="Every node has as many GPUs as its file says",
        looks_at="`nvidia-smi`",
        why="Ray offers what it finds, and vLLM waits half an hour for GPUs that are not there.",
        remedy="`nvidia-smi` says what is wrong with the driver; or write another GPUS.",
        source="vLLM, vllm/v1/executor/ray_utils.py",
        look=each(_gpu),
    ),
    Check(
        name="gpu-docker",
        severity="blocks",
        title="Docker can give containers the GPUs",
        looks_at="`docker info`: the runtime `nvidia`, CDI devices; /etc/cdi and /var/run/cdi",
        why="The container would not start: `could not select device driver`, or `unresolvable "
        "CDI devices`.",
        remedy="Install the NVIDIA Container Toolkit and let it set up Docker, or write another "
        "ACCELERATOR.",
        source="NVIDIA Container Toolkit, CDI support; moby/moby, daemon/nvidia_linux.go",
        look=each(_gpu_docker),
    ),
    Check(
        name="toolkit",
        severity="note",
        title="The NVIDIA Container Toolkit is as new as NVIDIA asks for",
        looks_at="`nvidia-ctk --version`",
        why="Older ones do not know everything that a Spark's driver needs in a container.",
        remedy="Update the package nvidia-container-toolkit.",
        source="NVIDIA, DGX Spark porting guide, software dependencies",
        look=each(_toolkit),
    ),
    Check(
        name="gpu-busy",
        severity="slow",
        title="Nobody else computes on the GPU",
        looks_at="`nvidia-smi --query-compute-apps=pid,process_name,used_memory --format=csv`",
        why="They share its time and, on a Spark, the memory of the whole machine.",
        remedy="End them, or wait until they end.",
        source="NVIDIA dgx-spark-playbooks, vllm/README.md",
        look=each(_busy),
    ),
    Check(
        name="gpu-clock",
        severity="slow",
        title="The GPU of a Spark runs at full clock while it computes",
        looks_at="`nvidia-smi --query-gpu=clocks.sm --format=csv`, while programs use it",
        why="Some Sparks stay near 700 MHz after trouble with their power, and all ranks wait for "
        "the slowest.",
        remedy="Switch it off and pull the plug of its power supply; a restart does not help.",
        source="eugr/spark-vllm-docker issue 334",
        look=each(_clock),
    ),
)
