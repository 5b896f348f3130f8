"""Ships an image: asks, reads, pours, proves."""
