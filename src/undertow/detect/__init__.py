"""History of profiles -> findings: one family of checks a file."""
