"""A trial's training: the network, its phases, the batches, the fit."""
