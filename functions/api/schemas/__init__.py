"""The shapes of requests and answers: what validates them is what describes them."""
