"""Simulation of two lanes under seeded traffic and the capacity controller, in steps of one second."""
