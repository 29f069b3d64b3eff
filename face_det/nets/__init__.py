"""Networks: weights and the runtimes that run them."""
