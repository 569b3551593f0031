"""Rows -> Profile: read how columns are meant, fit a plan on the reference, measure under it."""
