"""The quality of the bundled models on the held-out splits of public data, and what they cost."""
