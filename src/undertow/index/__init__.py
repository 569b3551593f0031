"""An index of vectors with versions, in a folder: what it writes, what it reads, and what it checks."""
