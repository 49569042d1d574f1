"""Face recognition on a folder of people, as it serves."""
