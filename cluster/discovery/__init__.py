"""From the facts of machines to the env files that describe them."""
