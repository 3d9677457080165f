"""What must be there after a power cut: the journal of the machines, kept answers, pieces under way, blobs, examples."""
