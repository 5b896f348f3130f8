"""The interface of a runtime, which turns run specs into steps."""

from typing import Protocol

from cluster.commands.run_spec import RunSpec, Service
from cluster.host import Host
from cluster.node import Node
from cluster.plan.steps import Await, Handle, InsideQuery, Plan, Query, Start, Step
from cluster.words import Environment, Word


class Runtime(Protocol):
    """Every method returns steps or values; the room's `perform` module performs the steps."""

    @property
    def is_virtual(self) -> bool:
        """Whether nodes are namespaces of this machine: without engine, image or real link."""

    @property
    def ray_token(self) -> str:
        """Path of Ray's authentication token, inside a node."""

    @property
    def api_key(self) -> str:
        """Path of the server's generated API key, on the machine that starts the server."""

    @property
    def ray_session(self) -> str:
        """Ray's folder for sockets and logs inside a node; empty for Ray's own default."""

    @property
    def needs_gpu_count(self) -> bool:
        """Whether Ray must be told the number of GPUs because it cannot count them."""

    @property
    def has_dashboard(self) -> bool:
        """Whether Ray's dashboard is installed where Ray is."""

    @property
    def probe(self) -> tuple[str, ...]:
        """The command that answers questions inside a node (docker/probe.py)."""

    @property
    def preflight(self) -> tuple[str, ...]:
        """The command that examines a node from a container of the image; empty without images."""

    @property
    def rank_program(self) -> tuple[str, ...]:
        """The command for one rank of a bandwidth measurement inside a node (docker/nccl.py)."""

    def host(self, node: Node) -> Host:
        """Return how the node's machine is reached."""

    def prepare(self, nodes: tuple[Node, ...]) -> Plan:
        """Prepare these nodes for their services, unless that is done."""

    def start(self, spec: RunSpec, title: str, proof: Await | None = None) -> Start:
        """Start a run spec; a running service that fails the proof is restarted."""

    def check_obstacles(self, starts: tuple[Start, ...]) -> Plan:
        """Check that nothing on the nodes blocks these starts."""

    def stop(self, node: Node, service: Service, seconds: float) -> Step:
        """Ask a service of a node to end, and kill it after `seconds`."""

    def run_beforehand(self, node: Node, argv: tuple[str, ...]) -> Query:
        """Run a command to its end on a node whose Ray may not run yet."""

    def run_inside(self, node: Node, argv: tuple[str, ...], extra: Environment = ()) -> InsideQuery:
        """Run a command to its end beside a node's Ray, with the node's environment and `extra`."""

    def network_prefix(self, node: Node) -> tuple[Word, ...]:
        """Return the prefix of a command of this machine that must reach the node's address."""

    def handle(self, node: str, service: Service) -> Handle:
        """Return how a service of a node is found again."""

    def release(self, nodes: tuple[Node, ...]) -> Plan:
        """Remove these nodes and their leftovers."""

    def end(self) -> Plan:
        """Remove the shared state of the cluster's nodes."""
