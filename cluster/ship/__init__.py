"""Shipping an image: what each node lacks, the way there, the archive, and what became of it."""
