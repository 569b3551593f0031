"""Doors: the command line and the forms of a report. No door decides anything."""
