"""The `vllm serve` command line: from the options to the line, and from the line to a request."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from itertools import chain, pairwise
from math import prod
from typing import Any

from cluster.commands.flags import MULTIPLIERS, SECRET_FLAGS, full_flag
from cluster.commands.serve_flag import ServeFlag, serve_flag, serve_flags
from cluster.errors import Problem, RefusedError
from cluster.node import Cluster
from cluster.settings.values import WrongValueError, whole

SERVE = ("vllm", "serve")
SERVED_NAME = ("--served-model-name",)


@dataclass(frozen=True, kw_only=True)
class ServeRequest:
    """What to serve: a model, its share of the cluster, and where to listen.

    Each flag of the line is one field here. Given a second time, as flags for vLLM, they would
    contradict the address that the task prints and what it checks.
    """

    model: str = serve_flag(
        "--model",
        kind=str,
        positional=True,
        key="MODEL",
        meaning="name on the Hugging Face Hub, or a folder; `./x` is below the repository",
    )
    host: str = serve_flag("--host", kind=str, key="SERVE_HOST", meaning="address to listen on")
    port: int = serve_flag("--port", kind=int, key="SERVE_PORT", meaning="port to listen on")
    gpu_memory_utilization: float = serve_flag(
        "--gpu-memory-utilization",
        kind=float,
        key="GPU_MEMORY_UTILIZATION",
        meaning="share of each GPU's memory",
    )
    tp: int = serve_flag(
        "--tensor-parallel-size",
        aliases=("-tp",),
        kind=int,
        parse=whole(1, 4096, "a number of GPUs"),
        derived=lambda cluster: cluster.gpus,
        # Without it vLLM refuses a world larger than one node's GPUs (vllm/config/parallel.py).
        followed_by=("--distributed-executor-backend", "ray"),
        meaning="tensor parallel size, the number of GPUs that share each layer "
        "(default: all GPUs of the cluster)",
    )
    max_model_len: int = serve_flag(
        "--max-model-len", kind=int, key="MAX_MODEL_LEN", meaning="longest context in tokens"
    )
    extra: tuple[str, ...] = ()
    """Further flags for `vllm serve`, unchanged."""


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """The options of `inv serve` as typed."""

    values: Mapping[str, str] = field(default_factory=dict)
    """By field of the request; an empty text means that the option was not given."""
    extra: tuple[str, ...] = ()
    """Flags for `vllm serve`."""


def request(
    cluster: Cluster, options: ServeOptions, root: str, kind: type[ServeRequest] = ServeRequest
) -> ServeRequest:
    """Return what to serve; a RefusedError has all problems of the options.

    A model that begins with `./` is a folder below `root`. `kind` declares the flags.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for flag in serve_flags(kind):
        text, default = options.values.get(flag.field, ""), flag.default(cluster)
        try:
            values[flag.field] = flag.parse(text) if text else default
        except WrongValueError as wrong:
            problems.append(_problem(f"--{flag.option}", wrong.message, wrong.remedy))
            values[flag.field] = default
    values["model"] = _model(values["model"], root)
    result = kind(**values, extra=(*cluster.serve_args, *options.extra))
    problems += (*_impossible(cluster, result), *_clashes(cluster, options.extra, kind))
    if problems:
        raise RefusedError(*problems)
    return result


def serve(request: ServeRequest) -> tuple[str, ...]:
    """Return the `vllm serve` line; the last flags win, so the user's own stand last."""
    flags = serve_flags(type(request))
    words = (flag.words(getattr(request, flag.field)) for flag in flags)
    return (*SERVE, *chain.from_iterable(words), *request.extra)


def served(argv: tuple[str, ...], kind: type[ServeRequest] = ServeRequest) -> ServeRequest | None:
    """Return the request behind a `vllm serve` line that `serve` rendered; None for other lines.

    Other words may come before the line: the command that enters the node, or an interpreter.
    """
    starts = (index for index, pair in enumerate(pairwise(argv)) if pair == SERVE)
    requests = (_served(argv[start + len(SERVE) :], kind) for start in starts)
    return next(filter(None, requests), None)


def beyond_loopback(host: str) -> bool:
    """Whether other machines can reach a server that listens on `host`."""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def served_name(request: ServeRequest) -> str:
    """Return the model's name in requests to the server: its own unless a flag gives another."""
    return next(_values(request.extra, SERVED_NAME), request.model)


def url(cluster: Cluster, request: ServeRequest) -> str:
    """Return the address of the server for other machines on the fast link."""
    everywhere = request.host in {"0.0.0.0", "::"}  # noqa: S104 (compared, not bound)
    host = str(cluster.head.host_ip) if everywhere else request.host
    return f"http://{f'[{host}]' if ':' in host else host}:{request.port}"


def _model(model: str, root: str) -> str:
    return f"{root}/{model.removeprefix('./')}" if model.startswith("./") else model


def _served(words: tuple[str, ...], kind: type[ServeRequest]) -> ServeRequest | None:
    """Read a line from the model on; None if a flag is missing that is not optional."""
    values: dict[str, Any] = {}
    for flag in serve_flags(kind):
        values[flag.field] = value = flag.value(words)
        if value is None and not flag.optional:
            return None
        words = words[len(flag.words(value)) :]
    return kind(**values, extra=words)


def _problem(flag: str, message: str, remedy: str) -> Problem:
    return Problem(place="inv serve", message=f"{flag}: {message}", remedy=remedy)


def _impossible(cluster: Cluster, request: ServeRequest) -> Iterator[Problem]:
    """Yield what cannot work although each value is valid by itself."""
    if not request.model:
        yield _problem("--model", "no model to serve", f"name one, or set MODEL in {cluster.file}")
    if (gpus := request.tp * _copies(request.extra)) > cluster.gpus:
        message = f"needs {gpus} GPUs, the cluster has {cluster.gpus}"
        yield _problem("--tp", message, f"use at most {cluster.gpus}, or describe more nodes")
    if request.port == cluster.head_port:
        yield _problem("--port", f"{request.port} is Ray's own port", "choose another")


def _copies(extra: tuple[str, ...]) -> int:
    """Return the factor of the tensor parallel size: pipeline stages times replicas."""
    return prod(int(size) for size in _values(extra, MULTIPLIERS) if size.isdecimal())


def _values(extra: tuple[str, ...], flags: Collection[str]) -> Iterator[str]:
    """Yield the values given to any of the flags."""
    for word, following in zip(extra, (*extra[1:], ""), strict=False):
        if full_flag(word, flags):
            yield word.partition("=")[2] or following


def _clashes(
    cluster: Cluster, extra: tuple[str, ...], kind: type[ServeRequest]
) -> Iterator[Problem]:
    """Yield flags for vLLM that contain a secret, or that are options of `inv serve`.

    The settings have refused secrets in SERVE_ARGS.
    """
    options = {name: flag for flag in serve_flags(kind) for name in (flag.name, *flag.aliases)}
    for name, full in _known(extra, SECRET_FLAGS):
        message = "would show a secret in the list of processes"
        yield _problem(name, message, f"set {SECRET_FLAGS[full]} in {cluster.file}")
    for name, full in _known(cluster.serve_args, options):
        yield _problem(name, "not allowed in SERVE_ARGS", _instead(options[full], cluster))
    for name, full in _known(extra, options):
        yield _problem(name, "not allowed after `--`", f"use `inv serve --{options[full].option}`")


def _known(words: tuple[str, ...], flags: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield those of the flags that occur among words, as written and in full."""
    for word in words:
        if flag := full_flag(word, flags):
            yield word.partition("=")[0], flag


def _instead(flag: ServeFlag, cluster: Cluster) -> str:
    return f"set {flag.key} in {cluster.file}" if flag.key else f"use `inv serve --{flag.option}`"
