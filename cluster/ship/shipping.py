"""`inv ship`: a dry run here; only a real run loads the other modules."""

from cluster.errors import NodeError, RefusedError
from cluster.host import Host, host_problem
from cluster.machine import local_addresses, parallel, processes
from cluster.node import Cluster, Node
from cluster.session import Session
from cluster.ship import routes
from cluster.ship.routes import ShipRoute
from cluster.ship.ship_options import ShipOptions


def ship_image(run: Session, names: list[str], options: ShipOptions) -> int:
    """Copy an image to the nodes with these names, or to all; print the result of each.

    The image comes from this machine's engine, and nodes that use the same engine have it. Return 1
    if only the plan is shown and there is work. A NodeError names the nodes that lack the image in
    the end.
    """
    cluster = run.cluster
    if refusals := options.problems(cluster):
        raise RefusedError(*refusals)
    name = routes.tagged(options.image or cluster.image)
    nodes = run.nodes(names)
    node_routes = tuple(
        parallel.side_by_side(lambda node: _route(cluster, node, run.runtime.host(node)), nodes)
    )
    if run.dry:
        run.perform(routes.dry_steps(name, node_routes))
        return 0
    # What a dry run does without is not waited for.
    from cluster.ship.shipment import Shipment

    shipment = Shipment(
        cluster=cluster, terminal=run.report, name=name, options=options, routes=node_routes
    )
    if options.plan:
        return shipment.show()
    with run.alone():
        shipment.ship()
    return 0


def _route(cluster: Cluster, node: Node, host: Host) -> ShipRoute:
    """Return the route to a node; asks this machine alone."""
    if not host.ssh_host:
        return routes.route(cluster, node, host, own_address="", ssh_config="")
    completed = processes.run(host.configuration)
    if completed.code:
        raise NodeError(host_problem(host, completed.error))
    own_address = local_addresses.address_towards(str(node.host_ip))
    return routes.route(cluster, node, host, own_address=own_address, ssh_config=completed.output)
