"""Persistence of the state of moto's services in a file."""
