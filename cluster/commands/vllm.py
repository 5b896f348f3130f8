"""The `vllm serve` command line, and the requests that cannot work."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import pairwise
from math import prod
from typing import TypeVar

from cluster.commands.flags import MULTIPLIERS, SECRET_FLAGS, meant
from cluster.errors import Problem, RefusedError
from cluster.node import Cluster
from cluster.settings import schema
from cluster.settings.page import CLUSTER_FILE
from cluster.settings.settings import folder
from cluster.settings.values import WrongValueError, whole

T = TypeVar("T")
Parse = Callable[[str], T]

OWN = {
    "--model": ("--model", "MODEL"),
    "--host": ("--host", "SERVE_HOST"),
    "--port": ("--port", "SERVE_PORT"),
    "--tensor-parallel-size": ("--tp", ""),
    "-tp": ("--tp", ""),
    "--max-model-len": ("--max-model-len", "MAX_MODEL_LEN"),
    "--gpu-memory-utilization": ("--gpu-memory-utilization", "GPU_MEMORY_UTILIZATION"),
}
"""Flags of vLLM, with the flag of `inv serve` and the setting that are theirs here.

Given twice, they would contradict the address and the checks that the task prints.
"""
SERVE = ("vllm", "serve")
SERVED_NAME = ("--served-model-name",)
FLAGS = 12
"""Words between the model and the user's own flags: six flags with a value each."""


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
    """Return what to serve; a RefusedError holds all that is wrong with the flags or cannot work.

    A model that begins with `./` is a folder below `root`.
    """
    read = _Reader()
    share = (schema.GPU_MEMORY_UTILIZATION.parse, cluster.gpu_memory_utilization)
    found = Request(
        model=_model(read("--model", flags.model, schema.MODEL.parse, cluster.model), root),
        tp=read("--tp", flags.tp, whole(1, 4096, "a number of GPUs"), cluster.gpus),
        host=read("--host", flags.host, schema.SERVE_HOST.parse, cluster.serve_host),
        port=read("--port", flags.port, schema.SERVE_PORT.parse, cluster.serve_port),
        max_model_len=read(
            "--max-model-len",
            flags.max_model_len,
            schema.MAX_MODEL_LEN.parse,
            cluster.max_model_len,
        ),
        gpu_memory_utilization=read(
            "--gpu-memory-utilization", flags.gpu_memory_utilization, *share
        ),
        extra=(*cluster.serve_args, *flags.extra),
    )
    if problems := (*read.problems, *_impossible(cluster, found), *_clashes(cluster, flags.extra)):
        raise RefusedError(*problems)
    return found


def serve(request: Request) -> tuple[str, ...]:
    """Return the `vllm serve` line; the last flags win, so the user's own stand last."""
    return (
        *(*SERVE, request.model),
        *("--host", request.host, "--port", str(request.port)),
        *("--gpu-memory-utilization", str(request.gpu_memory_utilization)),
        *("--tensor-parallel-size", str(request.tp)),
        # Without it vLLM refuses a world larger than one node's GPUs (vllm/config/parallel.py).
        *("--distributed-executor-backend", "ray"),
        *("--max-model-len", str(request.max_model_len)),
        *request.extra,
    )


def served(argv: tuple[str, ...]) -> Request | None:
    """Return the request behind a `vllm serve` line of ours; None for any other line.

    Before the line may stand anything: what enters the node, or an interpreter.
    """
    starts = (at for at, pair in enumerate(pairwise(argv)) if pair == SERVE)
    lines = (argv[at:] for at in starts)
    return next((found for line in lines if (found := _served(line))), None)


def beyond_loopback(host: str) -> bool:
    """Tell whether others than this machine can reach a server that listens on `host`."""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def served_name(request: Request) -> str:
    """Return the name that requests to the server use: the model's own unless a flag gives one."""
    return next(_values(request.extra, SERVED_NAME), request.model)


def url(cluster: Cluster, request: Request) -> str:
    """Return the address of the server as other machines on the link see it."""
    everywhere = request.host in {"0.0.0.0", "::"}  # noqa: S104 (compared, not bound)
    host = str(cluster.head.host_ip) if everywhere else request.host
    return f"http://{f'[{host}]' if ':' in host else host}:{request.port}"


@dataclass(frozen=True)
class _Reader:
    """Reads flags, and gathers what is wrong with them."""

    problems: list[Problem] = field(default_factory=list)

    def __call__(self, flag: str, text: str, parse: Parse[T], otherwise: T) -> T:
        """Return the flag's value; `otherwise` when it is wrong or was not given."""
        try:
            return parse(text) if text else otherwise
        except WrongValueError as error:
            self.problems.append(_problem(flag, error.message, error.remedy))
            return otherwise


def _model(model: str, root: str) -> str:
    return f"{root}/{model.removeprefix('./')}" if model.startswith("./") else model


def _served(line: tuple[str, ...]) -> Request | None:
    """Read a line from `vllm` on, and prove it by writing it again."""
    words = line[len(SERVE) + 1 :]
    flags = dict(zip(words[:FLAGS:2], words[1:FLAGS:2], strict=False))
    try:
        found = Request(
            model=line[len(SERVE)],
            tp=int(flags["--tensor-parallel-size"]),
            host=flags["--host"],
            port=int(flags["--port"]),
            max_model_len=int(flags["--max-model-len"]),
            gpu_memory_utilization=float(flags["--gpu-memory-utilization"]),
            extra=words[FLAGS:],
        )
    except (LookupError, ValueError):
        return None
    return found if serve(found) == line else None


def _problem(flag: str, message: str, remedy: str) -> Problem:
    return Problem(place="inv serve", message=f"{flag}: {message}", remedy=remedy)


def _impossible(cluster: Cluster, request: Request) -> Iterator[Problem]:
    """Find what cannot work although each flag has a value of its kind."""
    if not request.model:
        remedy = f"name one, or set MODEL in {_file(cluster)}"
        yield _problem("--model", "no model to serve", remedy)
    if (wanted := request.tp * _copies(request.extra)) > cluster.gpus:
        message = f"{wanted} GPUs wanted, the cluster has {cluster.gpus}"
        yield _problem("--tp", message, f"at most {cluster.gpus} in all, or describe more nodes")
    if request.port == cluster.head_port:
        yield _problem("--port", f"{request.port} is Ray's own port", "choose another")


def _copies(extra: tuple[str, ...]) -> int:
    """Return what vLLM multiplies the tensor parallel size with: pipeline stages and replicas."""
    return prod(int(size) for size in _values(extra, MULTIPLIERS) if size.isdecimal())


def _values(extra: tuple[str, ...], flags: Collection[str]) -> Iterator[str]:
    """Yield the values that are given to any of the flags."""
    for word, after in zip(extra, (*extra[1:], ""), strict=False):
        if meant(word, flags):
            yield word.partition("=")[2] or after


def _clashes(cluster: Cluster, typed: tuple[str, ...]) -> Iterator[Problem]:
    """Find flags for vLLM that hold a secret, or that have a name of their own here.

    Those of SERVE_ARGS hold no secret: the settings refuse it.
    """
    for name, flag in _known(typed, SECRET_FLAGS):
        message = "would show a secret in the list of processes"
        yield _problem(name, message, f"set {SECRET_FLAGS[flag]} in {_file(cluster)}")
    for name, flag in _known(cluster.serve_args, OWN):
        task, key = OWN[flag]
        remedy = f"set {key} in {_file(cluster)}" if key else f"use `inv serve {task}`"
        yield _problem(name, "stands in SERVE_ARGS", remedy)
    for name, flag in _known(typed, OWN):
        yield _problem(name, "stands after `--`", f"use `inv serve {OWN[flag][0]}`")


def _known(words: tuple[str, ...], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the known flags among words, as written and in full."""
    for word in words:
        if flag := meant(word, known):
            yield word.partition("=")[0], flag


def _file(cluster: Cluster) -> str:
    return f"{folder(cluster.name)}{CLUSTER_FILE}"
