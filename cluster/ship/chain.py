"""One stream into one node or several: each loads it, and hands it on to the next meanwhile."""

import re
import shlex
from dataclasses import dataclass

from cluster.ship.route import SSH, Way, address

MARK = "spark-vllm-cluster.load"
LOST = 255
"""The exit code of ssh when there is no connection (ssh(1)); `docker load` has no such code."""
OPTIONS = (*SSH, "-o", "ServerAliveCountMax=3", "-o", "ProxyCommand=none")
"""How a node reaches the next one; the user there is the one from here, known hosts are its own."""
REPORT = re.compile(rf"{re.escape(MARK)} ([0-9]{{1,4}}) (said|heard|ended(?= [0-9]{{1,3}}\Z)) (.*)")
UNSAFE = re.compile(rb"[^\w@.:-]")
"""What a shell between here and the last node might take for something else."""

# Login shells pass this on in single quotes, which it therefore lacks; nor has it new lines, or a
# `!` before a word, of which C shells make something else. It hands on itself, its `$0`, so that a
# long chain takes no quotes within quotes. Nobody but its two ends holds a pipe open: else the next
# node would wait for the end of this one's load (`exec`: dash keeps what it redirects otherwise).
# `tee -p` outlives its readers (coreutils 8.24).
#
# An SSH server that waits for input does not notice a cut cable, and its client cannot ask it to
# (sshd_config(5), ClientAliveInterval). So a byte goes up at times: who cannot write it, or has
# sent it seven times without an answer in half a minute (proc_net_tcp.rst, retrnsmt), ends all.
SCRIPT = " ".join(  # noqa: FLY002 (as one line nobody could read it)
    [
        "n=$1; next=$((n+1)); hop=$2; shift; exec 4>&1 5<&0;",
        "own() {{ said=$({{ {load}; }} 2>&1); code=$?;",
        'printf "\\n"; printf "%s\\n" "$said" | while IFS= read -r it;',
        'do printf "%s %s said %s\\n" {mark} "$n" "$it"; done;',
        'printf "%s %s ended %s\\n" {mark} "$n" "$code"; }};',
        'watch() {{ set -- $SSH_CONNECTION; [ $# = 4 ] || return; trap "" PIPE;',
        'ports=$(printf "%04X%04X" "$4" "$2"); while sleep 5 >&- 2>&- 4>&-; do',
        'printf "\\n" 2>&- || kill 0;',
        "while read -r it own its it it it tries it; do case ${{own##*:}}${{its##*:}}:$tries in",
        "$ports:0000000[0-6]) ;; $ports:*) kill 0;; esac; done </proc/net/tcp; done; }};",
        "watch 5<&- & watch=$! ;",
        'if [ -z "$hop" ]; then own 4>&- 5<&-; kill $watch 2>&-; exit 0; fi;',
        'shift; q=$(printf "\\047"); rest=; for it; do rest="$rest $q$it$q"; done;',
        'it="sh -c ${{q}}eval \\"\\$0\\"$q $q$0$q $next$rest";',
        "said=$({{ tee -p /dev/fd/3 <&5 4>&- 5<&- | {{ exec >&4 3>&- 4>&- 5<&-; own; }} &",
        "exec >&4 3>&- 5<&-; wait; }} 3>&1 |",
        '{ssh} -p "${{hop%%:*}}" -- "$(printf %b "${{hop#*:}}")" "$it" 2>&1 4>&- 5<&-);',
        'printf "\\n"; printf "%s\\n" "$said" | while IFS= read -r it; do',
        'case $it in "{mark} "*|"") ;; *) it="{mark} $next heard $it";; esac;',
        'printf "%s\\n" "$it"; done; kill $watch 2>&-; exit 0',
    ]
)


@dataclass(frozen=True, kw_only=True)
class Hop:
    """How a node reaches the next one of its chain, over the fast link."""

    address: str
    """The next node's HOST_IP."""
    user: str
    port: str = "22"

    @property
    def ssh(self) -> tuple[str, ...]:
        """Return the command line that runs another on the next node."""
        return (*OPTIONS, "-p", self.port, "--", f"{self.user}@{self.address}")

    @property
    def word(self) -> str:
        """Return the hop as one word, the same for all shells; `printf %b` undoes the escapes."""
        user = UNSAFE.sub(lambda its: b"\\0%03o" % ord(its[0]), self.user.encode())
        return f"{self.port}:{user.decode()}@{self.address}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """How `docker load` ended on a node."""

    node: str
    code: int
    """Its exit code; `LOST` for a node that has not said how it ended."""
    said: str
    """What it said; of a node that is lost what ssh said about it, or a shell there."""


def hop(host_ip: str, ssh: str) -> Hop:
    """Return how others reach a node, from its HOST_IP and the output of `ssh -G` for it here."""
    said = dict(line.partition(" ")[::2] for line in ssh.splitlines())
    return Hop(address=host_ip, user=said.get("user", ""), port=said.get("port", "22"))


def load(ways: tuple[Way, ...], hops: tuple[Hop, ...] = (), *, compress: bool) -> tuple[str, ...]:
    """Return the command that loads its input on all these nodes; it prints what `reports` reads.

    `hops` are the ways from each node to the next one: a node alone needs none.
    """
    first = ways[0]
    if len(hops) != len(ways) - 1:
        raise ValueError(f"{len(hops)} hops between {len(ways)} nodes")
    return (*SSH, *address(first), first.engine.ssh_host, _line(hops, compress=compress))


def probe(way: Way, hop: Hop) -> tuple[str, ...]:
    """Return the command that succeeds if the node reaches the next one."""
    there = shlex.join((*hop.ssh, "true"))
    return (*SSH, *address(way), way.engine.ssh_host, there)


def reports(output: str, ways: tuple[Way, ...]) -> dict[str, Report]:
    """Return how the load ended on each node of a chain.

    `output` is all that the command of `load` wrote, errors too. Of a node that is cut off from the
    first ones nothing is known.
    """
    lines: dict[tuple[int, str], list[str]] = {}
    for line in output.split("\n"):
        found = REPORT.fullmatch(line)
        number, kind, text = found.groups() if found else ("1", "heard", line)
        lines.setdefault((int(number), kind), []).append(text)
    return {way.node: _report(way.node, n, lines) for n, way in enumerate(ways, 1)}


def _report(node: str, number: int, lines: dict[tuple[int, str], list[str]]) -> Report:
    ended = lines.get((number, "ended"))
    said = lines.get((number, "said" if ended else "heard"), [])
    return Report(node=node, code=int(ended[0]) if ended else LOST, said="\n".join(said).strip())


def _line(hops: tuple[Hop, ...], *, compress: bool) -> str:
    """Return the shell line that a node runs for itself and those after it."""
    unpacked = "zstd -dcq | docker load" if compress else "docker load"
    script = SCRIPT.format(load=unpacked, mark=MARK, ssh=shlex.join(OPTIONS))
    words = (its.word for its in hops)
    return shlex.join(("sh", "-c", 'eval "$0"', script, "1", *words))
