"""Models as data: what a card says, a session runs, on a picture decoded and prepared as the card asks."""
