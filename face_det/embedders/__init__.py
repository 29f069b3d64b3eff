"""Embedders, one file each: from an aligned face to an encoding."""
