"""Env files: read, checked, and shown."""
