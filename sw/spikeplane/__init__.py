"""Spikeplane: train quantized spiking neural networks and run them on open FPGA boards."""

__version__ = "0.1.0"
