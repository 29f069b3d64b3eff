"""The settings that are objects of their own, one module each."""
