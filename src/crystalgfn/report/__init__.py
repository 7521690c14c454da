"""Tables of samples for people: on the terminal and in the documentation."""
