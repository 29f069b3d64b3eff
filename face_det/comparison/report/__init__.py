"""What was measured, as JSON, as tables and as a page."""
