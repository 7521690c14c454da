"""Training rows: real crystals, strained copies, random crystals, and how rows are split."""
