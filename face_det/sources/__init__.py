"""Where pictures come from, besides callers: public datasets."""
