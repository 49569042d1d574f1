"""The local cloud: a packaged template and its code, run on this machine as AWS would run them."""
