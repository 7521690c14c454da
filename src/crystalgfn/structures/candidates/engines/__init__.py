"""Where the work on crystals is done: in this process, in a pool of processes, or on a Ray cluster."""
