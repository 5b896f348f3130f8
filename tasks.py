"""The verbs: parse, call, print."""

import shlex
import sys
from pathlib import Path

from invoke import Collection, Context, Task

from cluster.command_line import Positional
from cluster.machine.terminal import show
from cluster.machine.verb import after_dashes, session, verb
from cluster.options import SERVE

ROOT = Path(__file__).resolve().parent
NODES = Positional(usage="[NODE]...", option="--node")


@verb(help={"keep": "leave the cluster and the server running"})
def rehearse(c: Context, cluster: str = "rehearsal", keep: bool = False) -> None:
    """Run the whole journey on this machine, without a GPU.

    Starts two nodes as namespaces, serves a tiny model on both, asks it for one completion, and
    stops everything. The first run installs Ray and vLLM for CPUs.
    """
    from cluster.serve import server

    server.rehearse(session(c, cluster), keep=keep)


@verb(
    words=Positional(usage="[HOST]...", last=True),
    help={
        "write": "write the files; otherwise show what would change",
        "check": "compare the files with the machines; exits 1 if they differ",
    },
)
def probe(
    c: Context,
    cluster: str = "default",
    write: bool = False,
    check: bool = False,
    json: bool = False,
) -> int:
    """Propose env files from what the machines report.

    A HOST is what `ssh` takes. Without one, the machines of the cluster are asked.
    """
    from cluster.discovery import probing

    return probing.probe(
        cluster, after_dashes(), write=write, check=check, json=json, dry=c.config.run.dry
    )


@verb(
    words=NODES,
    help={
        "explain": "explain a check: what it looks at, why, and what to do (default: all checks)",
        "fast": "run only the checks that `inv up` runs before it starts",
    },
    optional=("explain",),
    repeatable=("node",),
)
def doctor(
    c: Context,
    node: list[str],
    cluster: str = "default",
    explain: str | bool = "",
    fast: bool = False,
    json: bool = False,
) -> int:
    """Find what keeps the cluster from working well.

    Exits 4 if something blocks the cluster, 1 if something slows it down.
    """
    if explain:
        from cluster.checks import pages

        name = "" if explain is True else explain
        show((pages.explained_as_json if json else pages.explained)(name))
        return 0
    from cluster.checks.doctor import doctor as examine

    return examine(session(c, cluster), node, fast=fast, json=json)


@verb()
def config(_c: Context, cluster: str = "default", json: bool = False) -> None:
    """Show every setting and where its value comes from."""
    from cluster.session import load
    from cluster.settings import config

    show((config.as_json if json else config.text)(load(cluster)) + "\n")


@verb(
    words=Positional(usage="NODE", option="--node", required=True, last=True),
    help={
        "node": "node whose variables to print",
        "format": "`dotenv` (default), `shell`, `docker` or `json`",
        "reveal": "show secrets",
    },
)
def env(
    _c: Context, node: str, cluster: str = "default", format: str = "dotenv", reveal: bool = False
) -> None:
    """Print the environment variables of a node."""
    from cluster.session import variables

    show(variables(cluster, node, format, reveal=reveal))


@verb(
    help={
        "tag": "name of the image (default: IMAGE)",
        "arch": "GPU to build for: `12.1a` (default, a Spark), `9.0a`, `12.0;12.1a`, or `cpu`",
        "fast": "rebuild only vLLM; reuse the cached layers below it",
        "full": "rebuild everything: base image, system packages, dependencies, vLLM",
        "no-cache": "rebuild every layer",
        "vllm": "released version of vLLM (default: the locked one)",
        "source": "compile vLLM from its newest commit",
        "ref": "branch, tag or commit to compile (with --source)",
        "repo": "URL of the repository to compile (with --source)",
        "jobs": "parallel compile jobs (with --source)",
        "base": "base image to build on",
        "platform": "platform of the image, such as `linux/arm64` (default: this machine's)",
    }
)
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


@verb(
    words=NODES,
    help={
        "image": "image to copy (default: IMAGE)",
        "plan": "show what each node lacks and copy nothing; exits 1 if there is work",
        "via": "`star` (from here to every node), `chain` (node to node) or `auto` (default)",
        "compress": "`none`, `zstd` or `auto` (default): zstd on links of 10 Gb/s or less",
        "prune": "afterwards remove our old images that no container uses",
    },
    repeatable=("node",),
)
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
    """Copy the image to the nodes over the fast link.

    Each node gets only the layers that it lacks.
    """
    from cluster.ship.ship_options import ShipOptions
    from cluster.ship.shipping import ship_image

    options = ShipOptions(
        image=image, plan=plan, via=via, compress=compress, prune=prune, json=json
    )
    return ship_image(session(c, cluster), node, options)


@verb()
def up(
    c: Context, cluster: str = "default", recreate: bool = False, preflight: bool = True
) -> None:
    """Start the head and all workers.

    Returns when every node has joined. What already runs with the same settings stays.
    """
    from cluster.start import start

    start.up(session(c, cluster, recreate=recreate), preflight=preflight)


@verb()
def head(
    c: Context, cluster: str = "default", recreate: bool = False, preflight: bool = True
) -> None:
    """Start Ray on the head."""
    from cluster.start import start

    start.head(session(c, cluster, recreate=recreate), preflight=preflight)


@verb(words=NODES, repeatable=("node",))
def worker(
    c: Context,
    node: list[str],
    cluster: str = "default",
    recreate: bool = False,
    preflight: bool = True,
) -> None:
    """Start Ray on the workers."""
    from cluster.start import start

    start.workers(session(c, cluster, recreate=recreate), node, preflight=preflight)


@verb(help={"largest": "size of the largest buffer, up to `1g` (default: 256m)"})
def nccl(c: Context, largest: str = "256m", cluster: str = "default", json: bool = False) -> int:
    """Measure the bandwidth between the nodes.

    Exits 1 if NCCL is slow, 4 if a rank fails or takes TCP where it could take RDMA.
    """
    from cluster.bandwidth import measuring

    return measuring.nccl(session(c, cluster), largest=largest, json=json)


@verb(
    words=Positional(usage="[MODEL] [-- VLLM_OPTIONS]", option="--model"),
    help=SERVE | {"detach": "leave the server running and return"},
)
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
    """Serve a model on all GPUs.

    Runs until Ctrl-C, or with `--detach` in the background. Options after `--` go to `vllm serve`.
    """
    from cluster.commands.vllm import ServeOptions
    from cluster.serve import ready, server

    values = {
        "model": model,
        "tp": tp,
        "host": host,
        "port": port,
        "max_model_len": max_model_len,
        "gpu_memory_utilization": gpu_memory_utilization,
    }
    options = ServeOptions(values=values, extra=after_dashes())
    form = ready.as_json if json else ready.text
    server.serve(session(c, cluster), options, detach=detach, form=form)


@verb()
def status(c: Context, cluster: str = "default", json: bool = False) -> int:
    """Show the state of the nodes and the server.

    Exits 1 unless every node and the server are healthy.
    """
    from cluster.status import status
    from cluster.status.observe import observe

    run = session(c, cluster)
    result = status.status(run.cluster, observe(run.cluster, run.runtime))
    show((status.as_json if json else status.text)(result))
    return 0 if result.healthy else 1


@verb(
    words=Positional(usage="[NODE]...", option="--node", last=True),
    help={
        "follow": "keep printing new lines until Ctrl-C",
        "lines": "number of lines to show from the end of each log",
        "explain": "diagnose the logs: what failed, why and what to do; exits 1 if anything failed",
        "json": "print JSON (with --explain)",
    },
    repeatable=("node",),
)
def logs(
    c: Context,
    node: list[str],
    cluster: str = "default",
    follow: bool = False,
    lines: str = "100",
    explain: bool = False,
    json: bool = False,
) -> int:
    """Show the logs of Ray and the server."""
    from cluster.logs import logs

    logs.check_options(follow=follow, explain=explain, json=json)
    run = session(c, cluster)
    if explain:
        return logs.explain(run.cluster, run.handles(node), as_json=json)
    (logs.follow if follow else logs.show)(run.handles(node), logs.line_count(lines))
    return 0


@verb(
    name="exec",
    words=Positional(usage="COMMAND...", command=True, last=True),
    help={"node": "run it on this node (repeatable; default: the head)"},
    repeatable=("node",),
)
def exec_(c: Context, node: list[str], cluster: str = "default") -> int:
    """Run a command on the head, or on other nodes.

    Everything after the first word of the command belongs to it.
    """
    from cluster import attach

    return attach.run(session(c, cluster), node, after_dashes())


@verb(
    words=Positional(usage="[NODE]", option="--node", last=True),
    help={"node": "node to open the shell on (default: the head)"},
)
def shell(c: Context, node: str = "", cluster: str = "default") -> int:
    """Open a shell on a node."""
    from cluster import attach

    return attach.run(session(c, cluster), [node] if node else [], attach.SHELL)


@verb(help={"server": "stop only the server; Ray keeps running"})
def down(c: Context, cluster: str = "default", server: bool = False) -> None:
    """Stop the cluster and clean up after it.

    Images, models and logs stay.
    """
    from cluster.start import start

    start.down(session(c, cluster), server=server)


@verb(help={"live": "run the live suite: real Ray and vLLM in namespaces and containers"})
def test(c: Context, live: bool = False) -> None:
    """Run this project's own checks: lint, types, unit tests."""
    nox = (sys.executable, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"))
    c.run(shlex.join((*nox, *(("--session", "live") if live else ()))), pty=sys.stdout.isatty())


# In the order of this file, which is that of the journey and of the start page.
ns = Collection(*(value for value in tuple(globals().values()) if isinstance(value, Task)))
