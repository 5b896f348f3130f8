"""Building and shipping performed."""
