"""A plan as a shell script."""

from cluster.plan import script
from cluster.plan.steps import MakeFolder, Parallel, RemoveFolder

MAKE, REMOVE = MakeFolder(place="link", path="/s"), RemoveFolder(place="spark1", path="/s/spark1")
LATER = RemoveFolder(place="spark2", path="/s/spark2")


def test_text() -> None:
    """Each step follows a comment with its place and title; a blank line separates steps."""
    expected = """\
# link: Make a folder
mkdir -p -m 700 /s

# spark1: Remove the run state
rm -rf -- /s/spark1
"""

    assert expected == script.text((MAKE, REMOVE))


def test_flat() -> None:
    """Branches of any depth are listed one after the other."""
    plan = (MAKE, Parallel(branches=((REMOVE, Parallel(branches=((LATER,),))), (MAKE,))))

    assert (MAKE, REMOVE, LATER, MAKE) == script.flat(plan)


def test_empty_plan() -> None:
    """A plan without steps has no text."""
    assert not script.text(())
