"""A Flower app whose clients answer at once: what is left is what a round costs."""
