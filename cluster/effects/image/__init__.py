"""Builds the image."""
