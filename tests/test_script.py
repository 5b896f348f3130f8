"""A plan as a script."""

from cluster.plan import script
from cluster.plan.steps import MakeFolder, Parallel, RemoveFolder

MAKE, REMOVE = MakeFolder(place="link", path="/s"), RemoveFolder(place="spark1", path="/s/spark1")
LATER = RemoveFolder(place="spark2", path="/s/spark2")


def test_text() -> None:
    """Each step stands under a comment that says where and what, with a line between."""
    expected = """\
# link: Make a folder
mkdir -p -m 700 /s

# spark1: Remove the run state
rm -rf -- /s/spark1
"""

    assert expected == script.text((MAKE, REMOVE))


def test_flat() -> None:
    """Branches stand one after the other, however deep."""
    plan = (MAKE, Parallel(branches=((REMOVE, Parallel(branches=((LATER,),))), (MAKE,))))

    assert (MAKE, REMOVE, LATER, MAKE) == script.flat(plan)


def test_nothing() -> None:
    """No steps are no text."""
    assert not script.text(())
