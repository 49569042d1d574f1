"""Names that people give and read: one line, without characters that nobody sees."""

INVISIBLE = r"\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
"""Control characters, line breaks, marks of direction and characters without width."""

ONE_LINE_PATTERN = rf"^[^\s{INVISIBLE}]([^{INVISIBLE}]*[^\s{INVISIBLE}])?$(?!\n)"
"""Without spaces around it; in Python `$` also matches before a line break at the end."""
