"""Text from files and callers, as it may be shown."""

from __future__ import annotations

import unicodedata


def harmless(text: str) -> str:
    """Return a text without what could end a line, command a terminal or turn text around.

    Each such character is shown as its escape.
    """
    if text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if character == "\n":
        return "\\n"
    category = unicodedata.category(character)
    if category[0] != "C" and category not in ("Zl", "Zp"):
        return character
    digits = f"{ord(character):04x}"
    return f"\\u{{{digits}}}" if len(digits) > 4 else f"\\u{digits}"
