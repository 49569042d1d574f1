"""Clips and cameras: decoding, the selection of frames, and the drops that they become."""
