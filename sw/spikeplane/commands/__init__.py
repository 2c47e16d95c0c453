"""The commands of `spikeplane`, a module each: options and what is printed; the work is done elsewhere."""
