"""What a cluster looks like right now."""
