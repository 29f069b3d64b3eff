"""Convolutions by Winograd's filtering, with our own compiled kernels."""
