"""What all tests share: how hypothesis looks for examples."""

from hypothesis import settings

# The same examples on every run, so that a gate fails for a change and not by chance; few, so that
# it stays quick; no deadline, because a busy machine is no defect.
settings.register_profile("gate", database=None, deadline=None, derandomize=True, max_examples=40)
# A longer look, at other examples each time: `nox -s unit -- --hypothesis-profile=search`.
settings.register_profile("search", deadline=None, max_examples=2000)
settings.load_profile("gate")
