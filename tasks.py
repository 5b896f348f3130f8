"""The verbs: parse, call, print."""

import shlex
import sys
from pathlib import Path

from invoke import Collection, Context, task

from cluster.effects.diagnosis.verbs import doctor, logs, nccl, probe, status
from cluster.effects.verb import after_dashes, session, verb
from cluster.options import BUILD, CLUSTER, ENV, JSON, NODE, SERVE, SHIP, START

ROOT = Path(__file__).resolve().parent


@task(help=CLUSTER | JSON)
@verb
def config(_c: Context, cluster: str = "default", json: bool = False) -> None:
    """Show the settings, and where each value comes from."""
    from cluster.effects.session import load
    from cluster.settings import config

    print((config.as_json if json else config.text)(load(cluster)))


@task(help=CLUSTER | ENV)
@verb
def env(
    _c: Context, node: str, cluster: str = "default", format: str = "dotenv", reveal: bool = False
) -> None:
    """Print the environment of a node's container."""
    from cluster.effects.session import variables

    print(variables(cluster, node, format, reveal=reveal), end="")


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
    from cluster.effects.image import building
    from cluster.image.build_flags import Flags

    flags = Flags(
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
    building.build(flags, cluster, dry=c.config.run.dry, json=json)


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
    from cluster.effects.ship import shipping

    wishes = shipping.Wishes(
        image=image, plan=plan, via=via, compress=compress, prune=prune, json=json
    )
    return shipping.ship_image(session(c, cluster), node, wishes)


@task(help=CLUSTER | START)
@verb
def head(
    c: Context, cluster: str = "default", recreate: bool = False, preflight: bool = True
) -> None:
    """Start Ray's head, and wait until it answers."""
    from cluster.plan import plan

    run = session(c, cluster, recreate=recreate, preflight=preflight)
    run.start(plan.head(run.cluster, run.runtime))


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
    from cluster.plan import plan

    run = session(c, cluster, recreate=recreate, preflight=preflight)
    run.start(plan.workers(run.cluster, run.chosen(node, run.cluster.workers), run.runtime))


@task(help=CLUSTER | START)
@verb
def up(
    c: Context, cluster: str = "default", recreate: bool = False, preflight: bool = True
) -> None:
    """Start the head and all workers, and wait until the cluster is whole."""
    from cluster.plan import plan

    run = session(c, cluster, recreate=recreate, preflight=preflight)
    run.start(plan.up(run.cluster, run.runtime))


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
    from cluster.effects import server
    from cluster.results import ready

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


@task(name="exec", help=CLUSTER | NODE, iterable=["node"])
@verb
def exec_(c: Context, node: list[str], cluster: str = "default") -> int:
    """Run the command after `--` on the head, or on the nodes that are named."""
    from cluster.effects import attach

    return attach.run(session(c, cluster), node, after_dashes())


@task(help=CLUSTER | {"node": "where (default: the head)"})
@verb
def shell(c: Context, node: str = "", cluster: str = "default") -> int:
    """Open a shell on a node, with all its variables."""
    from cluster.effects import attach

    return attach.run(session(c, cluster), [node] if node else [], attach.SHELL)


@task(help=CLUSTER | {"server": "only the server; Ray stays"})
@verb
def down(c: Context, cluster: str = "default", server: bool = False) -> None:
    """Stop everything of this cluster, and remove what it left."""
    from cluster.plan import plan

    run = session(c, cluster)
    with run.alone():
        run.perform((plan.stop_server if server else plan.down)(run.cluster, run.runtime))


@task(help=CLUSTER | {"keep": "leave the cluster and the server running"})
@verb
def rehearse(c: Context, cluster: str = "rehearsal", keep: bool = False) -> None:
    """Run the main job on this machine: up, serve, one completion, down."""
    from cluster.effects import server

    server.rehearse(session(c, cluster), keep=keep)


@task(help={"live": "run the live suite instead: real Ray and vLLM in namespaces"})
def test(c: Context, live: bool = False) -> None:
    """Pass the project's own checks: lint, types and unit tests."""
    nox = (sys.executable, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"))
    c.run(shlex.join((*nox, *(("--session", "live") if live else ()))), pty=sys.stdout.isatty())


ns = Collection(
    *(probe, doctor, config, env, build, ship, head, worker, up, serve),
    *(status, nccl, logs, exec_, shell, down, rehearse, test),
)
