"""What all tests share: how hypothesis looks for examples."""

from hypothesis import settings

# The same examples on every run, so that a gate fails for a change and not by chance; no deadline,
# because a busy machine is no defect.
settings.register_profile("gate", database=None, deadline=None, derandomize=True)
settings.load_profile("gate")
