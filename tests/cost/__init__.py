"""What a photo costs on AWS, and what limits the photos per second."""
