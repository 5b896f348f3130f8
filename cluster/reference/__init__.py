"""The generated parts of the documentation: tables of `docs/`, and the example env files."""
