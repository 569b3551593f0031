"""What can be asked, one verb a file; the only doors that surfaces use."""
