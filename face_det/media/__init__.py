"""Pixels in: safe decoding, crops, focus."""
