"""The evaluation as tables, JSON, charts and one HTML page."""
