"""Building the image."""
