"""What is wrong with a machine that could not be asked, from what SSH or its shell said."""

import re

from cluster.errors import Problem
from cluster.host import SSH, Host, host_problem


def unanswered(its: Host, said: str) -> Problem:
    """Return the problem of a machine that did not answer; unknown words are shown as they are."""
    if any(re.search(cause.words, said) for cause in SSH):
        return host_problem(its, said)
    last = said.strip().rpartition("\n")[2] or "no word of it"
    remedy = f"`ssh {its.ssh_host}` may say more" if its.ssh_host else ""
    return Problem(place=its.name, message=f"cannot be asked: {last}", remedy=remedy)
