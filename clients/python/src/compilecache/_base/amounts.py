"""Amounts, as log lines say them."""

from __future__ import annotations

_units = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def count_text(count: int, singular: str, plural: str = "") -> str:
    """Return a number and what it counts: "1 file", "20 files"."""
    return f"{count:,} {singular if count == 1 else plural or f'{singular}s'}"


def size_text(size: int) -> str:
    """Return a number of bytes in the unit that fits; 1 kB is 1,000 bytes."""
    for unit, name in _units:
        # What would be rounded up to the next unit is said in that one.
        if size >= 0.99995 * unit:
            return f"{size / unit:.1f} {name}"
    return count_text(size, "byte")
