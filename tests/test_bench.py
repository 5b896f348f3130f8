"""The arithmetic and the tables of the benchmarks."""

from functools import partial

from bench.rounds import interleaved, rows, table


def test_contenders_take_turns() -> None:
    """Each round measures every contender once, and warm-up rounds do not count."""
    turns: list[str] = []

    def measure(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    results = interleaved({name: partial(measure, name) for name in "ab"}, 2, warmups=1)

    assert {"a": [3.0, 5.0], "b": [4.0, 6.0]} == results
    assert ["a", "b", "a", "b", "a", "b"] == turns


def test_table() -> None:
    """The table has the median and the 90th percentile, and the ratio of medians to the first."""
    results = rows({"by hand": [2.0, 1.0, 3.0], "ours": [2.5]})
    expected = """\
|  | median | p90 | ratio |
| --- | ---: | ---: | ---: |
| by hand | 2.0 s | 2.8 s | 1.00 |
| ours | 2.5 s | 2.5 s | 1.25 |"""

    assert expected == table(results, digits=1)
