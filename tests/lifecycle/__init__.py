"""The life cycle of a model on real labelled pictures: `make lifecycle`."""
