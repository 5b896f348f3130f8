"""Building the image, and copying it to the nodes."""
