"""Two lanes, seeded traffic and the balance controller, a second at a time: `python -m tests.simulation`."""
