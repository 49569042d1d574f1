"""The whole system under steady load, for as long as one likes: nothing piles up."""
