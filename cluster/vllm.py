"""The `vllm serve` command line, and the requests that cannot work."""

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeVar

from cluster import schema
from cluster.errors import Problem, RefusedError
from cluster.node import Cluster
from cluster.values import WrongValueError, whole

T = TypeVar("T")

# Flags that the task has by its own name, or that carry a secret; given twice they would contradict the address and
# the checks that the task prints.
OWN = {
    "--model": "--model",
    "--host": "--host",
    "--port": "--port",
    "--tensor-parallel-size": "--tp",
    "-tp": "--tp",
    "--max-model-len": "--max-model-len",
    "--gpu-memory-utilization": "--gpu-memory-utilization",
}

SERVE = ("vllm", "serve")
FLAGS = 12
"""Words after the model in our `vllm serve` line, before the user's own: six flags with a value each."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to serve: a model, its share of the cluster, and where to listen."""

    model: str
    tp: int
    """Tensor parallel size: the number of GPUs that share each layer."""
    host: str
    port: int
    max_model_len: int
    gpu_memory_utilization: float
    extra: tuple[str, ...] = ()
    """Flags for `vllm serve` as they are."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """The flags of `inv serve` as they were typed; an empty one means the cluster's own setting."""

    model: str = ""
    tp: str = ""
    host: str = ""
    port: str = ""
    max_model_len: str = ""
    gpu_memory_utilization: str = ""
    extra: tuple[str, ...] = ()


def request(cluster: Cluster, flags: Flags, root: str) -> Request:
    """Return what to serve; raise a RefusedError with all that is wrong with the flags or cannot work.

    A model that begins with `./` is a folder below `root`.
    """
    problems: list[Problem] = []

    def read(flag: str, text: str, parse: Callable[[str], T], otherwise: T) -> T:
        try:
            return parse(text) if text else otherwise
        except WrongValueError as error:
            problems.extend(_refusal(flag, error.what, error.remedy))
            return otherwise

    share = schema.GPU_MEMORY_UTILIZATION.parse
    found = Request(
        model=_model(flags.model or cluster.model, root),
        tp=read("--tp", flags.tp, whole(1, 4096, "a number of GPUs"), max(1, cluster.gpus)),
        host=read("--host", flags.host, schema.SERVE_HOST.parse, cluster.serve_host),
        port=read("--port", flags.port, schema.SERVE_PORT.parse, cluster.serve_port),
        max_model_len=read(
            "--max-model-len",
            flags.max_model_len,
            schema.MAX_MODEL_LEN.parse,
            cluster.max_model_len,
        ),
        gpu_memory_utilization=read(
            "--gpu-memory-utilization",
            flags.gpu_memory_utilization,
            share,
            cluster.gpu_memory_utilization,
        ),
        extra=(*cluster.serve_args, *flags.extra),
    )
    if problems := [*problems, *_refusals(cluster, found)]:
        raise RefusedError(*problems)
    return found


def _model(model: str, root: str) -> str:
    return f"{root}/{model.removeprefix('./')}" if model.startswith("./") else model


def serve(request: Request) -> tuple[str, ...]:
    """Return the `vllm serve` line; the last flags win, so the user's own stand last."""
    return (
        *("vllm", "serve", request.model),
        *("--host", request.host, "--port", str(request.port)),
        *("--gpu-memory-utilization", f"{request.gpu_memory_utilization:g}"),
        *("--tensor-parallel-size", str(request.tp)),
        # Without it vLLM refuses a world larger than one node's GPUs (vllm/config/parallel.py).
        *("--distributed-executor-backend", "ray"),
        *("--max-model-len", str(request.max_model_len)),
        *request.extra,
    )


def _refusals(cluster: Cluster, request: Request) -> tuple[Problem, ...]:
    return (
        *_missing_model(request),
        *_tensor_parallel(cluster, request),
        *_port(cluster, request),
        *(problem for flag in request.extra for problem in _own(flag)),
    )


def beyond_loopback(host: str) -> bool:
    """Tell whether others than this machine can reach a server that listens on `host`."""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def url(cluster: Cluster, request: Request) -> str:
    """Return the address of the server as other machines on the link see it."""
    return f"http://{_reachable(cluster, request.host)}:{request.port}"


def _reachable(cluster: Cluster, host: str) -> str:
    return str(cluster.head.host_ip) if host in ("0.0.0.0", "::", "") else host  # noqa: S104  # compared, not bound


def _refusal(flag: str, what: str, remedy: str = "") -> tuple[Problem, ...]:
    return (Problem(place="inv serve", what=f"{flag}: {what}", remedy=remedy),)


def _missing_model(request: Request) -> tuple[Problem, ...]:
    remedy = "name one, or set MODEL in env/cluster.env"
    return () if request.model else _refusal("--model", "no model to serve", remedy)


def _tensor_parallel(cluster: Cluster, request: Request) -> tuple[Problem, ...]:
    if request.tp <= cluster.gpus:
        return ()
    what = f"{request.tp} GPUs wanted, the cluster has {cluster.gpus}"
    return _refusal("--tp", what, f"at most --tp {cluster.gpus}, or describe more nodes")


def _port(cluster: Cluster, request: Request) -> tuple[Problem, ...]:
    taken = request.port == cluster.head_port
    return (
        _refusal("--port", f"{request.port} is Ray's own port", "choose another") if taken else ()
    )


def _own(flag: str) -> tuple[Problem, ...]:
    name = flag.partition("=")[0]
    if name == "--api-key":
        return _refusal(
            name, "would show the key in the process list", "set VLLM_API_KEY in env/cluster.env"
        )
    if name in OWN:
        return _refusal(name, "stands after `--`", f"use `inv serve {OWN[name]}`")
    return ()


def served(argv: tuple[str, ...]) -> Request | None:
    """Return the request behind a running `vllm serve` line of ours, whatever stands before it; None for other lines."""
    if SERVE not in zip(argv, argv[1:], strict=False):
        return None
    words = argv[argv.index("serve") + 1 :]
    flags = dict(zip(words[1 : FLAGS + 1 : 2], words[2 : FLAGS + 1 : 2], strict=False))
    return Request(
        model=words[0],
        tp=int(flags["--tensor-parallel-size"]),
        host=flags["--host"],
        port=int(flags["--port"]),
        max_model_len=int(flags["--max-model-len"]),
        gpu_memory_utilization=float(flags["--gpu-memory-utilization"]),
        extra=words[FLAGS + 1 :],
    )
