"""Host side of a board: transports, frames, the driver, the simulated board."""
