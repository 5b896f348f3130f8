"""The verbs: parse, call, print."""

import shlex
import sys
from pathlib import Path

from invoke import Collection, Context, task

from cluster.machine.terminal import show
from cluster.machine.verb import after_dashes, session, verb
from cluster.options import (
    BUILD,
    CLUSTER,
    DOCTOR,
    ENV,
    JSON,
    LOGS,
    NCCL,
    NODE,
    PROBE,
    SERVE,
    SHIP,
    START,
)

ROOT = Path(__file__).resolve().parent


@task(help=CLUSTER | {"keep": "leave the cluster and the server running"})
@verb
def rehearse(c: Context, cluster: str = "rehearsal", keep: bool = False) -> None:
    """Run the main job on this machine: up, serve, one completion, down."""
    from cluster.serve import server

    server.rehearse(session(c, cluster), keep=keep)


@task(help=CLUSTER | JSON | PROBE)
@verb
def probe(
    c: Context,
    cluster: str = "default",
    write: bool = False,
    check: bool = False,
    json: bool = False,
) -> int:
    """Propose env files from what machines say of themselves; their names go after `--`."""
    from cluster.discovery import probing

    return probing.probe(
        cluster, after_dashes(), write=write, check=check, json=json, dry=c.config.run.dry
    )


@task(help=CLUSTER | NODE | JSON | DOCTOR, iterable=["node"], optional=["explain"])
@verb
def doctor(
    c: Context,
    node: list[str],
    cluster: str = "default",
    explain: str | bool = "",
    fast: bool = False,
    json: bool = False,
) -> int:
    """Say why the cluster will not work, or not well, and what to do about it."""
    if explain:
        from cluster.checks import pages

        name = "" if explain is True else explain
        show((pages.explained_as_json if json else pages.explained)(name))
        return 0
    from cluster.checks import examining

    return examining.doctor(session(c, cluster), node, fast=fast, json=json)


@task(help=CLUSTER | JSON)
@verb
def config(_c: Context, cluster: str = "default", json: bool = False) -> None:
    """Show the settings, and where each value comes from."""
    from cluster.session import load
    from cluster.settings import config

    show((config.as_json if json else config.text)(load(cluster)) + "\n")


@task(help=CLUSTER | ENV)
@verb
def env(
    _c: Context, node: str, cluster: str = "default", format: str = "dotenv", reveal: bool = False
) -> None:
    """Print the environment of a node's container."""
    from cluster.session import variables

    show(variables(cluster, node, format, reveal=reveal))


@task(help=CLUSTER | JSON | BUILD)
@verb
def build(
    c: Context,
    tag: str = "",
    arch: str = "",
    fast: bool = False,
    full: bool = False,
    no_cache: bool = False,
    vllm: str = "",
    source: bool = False,
    ref: str = "",
    repo: str = "",
    jobs: str = "",
    base: str = "",
    platform: str = "",
    cluster: str = "default",
    json: bool = False,
) -> None:
    """Build the image that the containers run."""
    from cluster.build import building
    from cluster.build.build_options import BuildOptions

    options = BuildOptions(
        tag=tag,
        arch=arch,
        jobs=jobs,
        vllm=vllm,
        source=source,
        ref=ref,
        repo=repo,
        base=base,
        platform=platform,
        no_cache=no_cache,
        fast=fast,
        full=full,
    )
    building.build(options, cluster, dry=c.config.run.dry, json=json)


@task(help=CLUSTER | NODE | JSON | SHIP, iterable=["node"])
@verb
def ship(
    c: Context,
    node: list[str],
    cluster: str = "default",
    image: str = "",
    plan: bool = False,
    via: str = "auto",
    compress: str = "auto",
    prune: bool = False,
    json: bool = False,
) -> int:
    """Copy the image to all nodes that lack it, over the fast link."""
    from cluster.ship.ship_options import ShipOptions
    from cluster.ship.shipping import ship_image

    options = ShipOptions(
        image=image, plan=plan, via=via, compress=compress, prune=prune, json=json
    )
    return ship_image(session(c, cluster), node, options)


@task(help=CLUSTER | START)
@verb
def up(
    c: Context, cluster: str = "default", recreate: bool = False, preflight: bool = True
) -> None:
    """Start the head and all workers, and wait until the cluster is whole."""
    from cluster.plan import plans

    run = session(c, cluster, recreate=recreate, preflight=preflight)
    run.start(plans.up(run.cluster, run.runtime))


@task(help=CLUSTER | START)
@verb
def head(
    c: Context, cluster: str = "default", recreate: bool = False, preflight: bool = True
) -> None:
    """Start Ray's head, and wait until it answers."""
    from cluster.plan import plans

    run = session(c, cluster, recreate=recreate, preflight=preflight)
    run.start(plans.head(run.cluster, run.runtime))


@task(help=CLUSTER | NODE | START, iterable=["node"])
@verb
def worker(
    c: Context,
    node: list[str],
    cluster: str = "default",
    recreate: bool = False,
    preflight: bool = True,
) -> None:
    """Start Ray on the workers, and wait until they have joined."""
    from cluster.plan import plans

    run = session(c, cluster, recreate=recreate, preflight=preflight)
    run.start(plans.workers(run.cluster, run.chosen(node, run.cluster.workers), run.runtime))


@task(help=CLUSTER | JSON | NCCL)
@verb
def nccl(c: Context, largest: str = "256m", cluster: str = "default", json: bool = False) -> int:
    """Measure how fast the nodes are together, and which way NCCL takes."""
    from cluster.bandwidth import measuring

    return measuring.nccl(session(c, cluster), largest=largest, json=json)


@task(help=CLUSTER | JSON | SERVE | {"detach": "leave the server running and return"})
@verb
def serve(
    c: Context,
    model: str = "",
    tp: str = "",
    host: str = "",
    port: str = "",
    max_model_len: str = "",
    gpu_memory_utilization: str = "",
    cluster: str = "default",
    detach: bool = False,
    json: bool = False,
) -> None:
    """Serve a model on all GPUs; flags for `vllm serve` go after `--`."""
    from cluster.commands.vllm import Flags
    from cluster.serve import ready, server

    flags = Flags(
        model=model,
        tp=tp,
        host=host,
        port=port,
        max_model_len=max_model_len,
        gpu_memory_utilization=gpu_memory_utilization,
        extra=after_dashes(),
    )
    form = ready.as_json if json else ready.text
    server.serve(session(c, cluster), flags, detach=detach, form=form)


@task(help=CLUSTER | JSON)
@verb
def status(c: Context, cluster: str = "default", json: bool = False) -> int:
    """Show nodes and server; the exit code is 0 only when all is well."""
    from cluster.status import status
    from cluster.status.observe import observe

    run = session(c, cluster)
    found = status.status(run.cluster, observe(run.cluster, run.runtime, run.services))
    show((status.as_json if json else status.text)(found))
    return 0 if found.healthy else 1


@task(help=CLUSTER | NODE | LOGS, iterable=["node"])
@verb
def logs(
    c: Context,
    node: list[str],
    cluster: str = "default",
    follow: bool = False,
    lines: str = "100",
    explain: bool = False,
    json: bool = False,
) -> int:
    """Show the logs of Ray and the server, each line with its node."""
    from cluster.logs import logs

    logs.check_options(follow=follow, explain=explain, json=json)
    run = session(c, cluster)
    if explain:
        return logs.explain(run.cluster, run.services, run.traces(node), as_json=json)
    (logs.follow if follow else logs.show)(run.services, run.traces(node), logs.line_count(lines))
    return 0


@task(name="exec", help=CLUSTER | NODE, iterable=["node"])
@verb
def exec_(c: Context, node: list[str], cluster: str = "default") -> int:
    """Run the command after `--` on the head, or on the nodes that are named."""
    from cluster import attach

    return attach.run(session(c, cluster), node, after_dashes())


@task(help=CLUSTER | {"node": "where (default: the head)"})
@verb
def shell(c: Context, node: str = "", cluster: str = "default") -> int:
    """Open a shell on a node, with all its variables."""
    from cluster import attach

    return attach.run(session(c, cluster), [node] if node else [], attach.SHELL)


@task(help=CLUSTER | {"server": "only the server; Ray stays"})
@verb
def down(c: Context, cluster: str = "default", server: bool = False) -> None:
    """Stop everything of this cluster, and remove what it left."""
    from cluster.plan import plans

    run = session(c, cluster)
    with run.alone():
        run.perform((plans.stop_server if server else plans.down)(run.cluster, run.runtime))


@task(help={"live": "run the live suite instead: real Ray and vLLM in namespaces"})
def test(c: Context, live: bool = False) -> None:
    """Pass the project's own checks: lint, types and unit tests."""
    nox = (sys.executable, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"))
    c.run(shlex.join((*nox, *(("--session", "live") if live else ()))), pty=sys.stdout.isatty())


ns = Collection(
    *(rehearse, probe, doctor, config, env, build, ship, up, head, worker),
    *(nccl, serve, status, logs, exec_, shell, down, test),
)
