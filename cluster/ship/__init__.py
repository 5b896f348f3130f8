"""Shipping an image: the plan, the routes and streams to the nodes, the archive, the results."""
