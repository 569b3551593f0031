"""Rich column -> plain columns, fitted on the reference: one kind a file."""
