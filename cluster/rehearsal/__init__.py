"""The environment of the rehearsal: what it holds, and how it is installed."""
