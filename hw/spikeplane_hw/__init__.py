"""Gateware of the Spikeplane core: parameters, references and Amaranth components."""
