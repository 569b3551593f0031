"""One optional library a file, and the only place where it is imported."""
