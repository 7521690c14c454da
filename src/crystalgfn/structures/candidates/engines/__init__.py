"""Where the work on crystals is done: in this process, one or many at once, in a pool of processes, or on Ray."""
