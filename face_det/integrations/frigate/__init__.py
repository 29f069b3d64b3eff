"""Names the people in Frigate's events, and writes the names where Frigate shows them."""
