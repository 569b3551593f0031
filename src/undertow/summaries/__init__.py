"""What is remembered of rows: commutative monoids, one a file."""
