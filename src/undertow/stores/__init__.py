"""Where what undertow remembers is kept."""
