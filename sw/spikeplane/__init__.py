"""Spikeplane: train quantized spiking neural networks and run them on open FPGA boards."""
