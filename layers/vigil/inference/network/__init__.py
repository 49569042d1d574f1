"""Models of kind "network": the card says how bytes become tensors and tensors become a prediction."""
