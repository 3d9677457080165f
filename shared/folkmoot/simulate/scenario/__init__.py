"""A whole federation on virtual time, as a file describes it: the real programs, and training that really happens."""
