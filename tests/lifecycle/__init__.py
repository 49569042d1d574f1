"""The whole life of a model on this machine, on real labelled pictures: `make lifecycle`."""
