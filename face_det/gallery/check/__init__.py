"""Checks of the dataset's photos: duplicates, misplaced faces, look-alikes and poor pictures."""
