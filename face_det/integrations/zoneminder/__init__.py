"""Names the people in ZoneMinder's events, and writes the names where ZoneMinder shows them."""
