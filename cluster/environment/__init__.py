"""The variables of a node."""
