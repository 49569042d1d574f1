"""The whole system under steady load: memory and unfinished drops do not grow."""
