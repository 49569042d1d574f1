"""Fetch published networks, rewrite them, prove each rewrite equal, and write releases under build/models."""
