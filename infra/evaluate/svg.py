"""A figure as text that stands in a page."""

import io

from matplotlib.figure import Figure


def as_svg(figure: Figure) -> str:
    """Without the date and random ids that would make the same report differ."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
