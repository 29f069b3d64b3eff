"""Classifiers, one file each: from an encoding to a name."""
