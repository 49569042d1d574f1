"""What runs near cameras: capture, a queue on disk, and the uploads from it."""
