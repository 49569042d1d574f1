"""An environment of its own for training on this machine, so that torch never comes near what serves."""
