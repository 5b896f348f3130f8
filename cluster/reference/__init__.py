"""The generated parts of the documentation: tables of the pages, and the example env files."""
