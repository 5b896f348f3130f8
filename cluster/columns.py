"""Rows of text as aligned columns."""


def aligned(rows: tuple[tuple[str, ...], ...]) -> str:
    """Return one line per row, each column as wide as its widest cell, two spaces between."""
    widths = tuple(max(len(cell) for cell in column) for column in zip(*rows, strict=True))
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: tuple[str, ...], widths: tuple[int, ...]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
