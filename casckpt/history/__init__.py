"""History: checkpoints and their order, threads and their moves, how they are named and found."""
