"""Policies of selection, one a file."""
