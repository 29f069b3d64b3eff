"""The commands of face-det, one file each."""
