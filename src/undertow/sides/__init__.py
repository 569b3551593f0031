"""What a verb compares: rows, texts and vectors of each side, read once and made ready."""
