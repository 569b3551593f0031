"""What to do about a finding: maps between spaces first."""
