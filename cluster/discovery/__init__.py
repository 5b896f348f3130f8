"""`inv probe`: the env files that describe machines, from their facts and their cables."""
