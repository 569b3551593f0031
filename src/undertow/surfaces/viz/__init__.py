"""Forms of chart, one family a file: each is a function from a finding's shape to a drawing."""
