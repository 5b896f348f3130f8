"""Starting a cluster: the checks before anything starts, then the plan."""
