"""The nouns. Standard library, numpy and pyarrow only."""
