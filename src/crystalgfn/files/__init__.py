"""Files that are written whole or not at all, run folders, and tensor files."""
