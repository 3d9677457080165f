"""Everything that can go wrong, as a seed decides it, and the laws that must hold all the same."""
