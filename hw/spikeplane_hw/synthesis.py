"""What only synthesis needs to know of a design: attributes, and the Yosys commands that heed them."""

__all__ = ["COLLISIONS_UNDEFINED", "COPY", "PREPARE"]

COLLISIONS_UNDEFINED = {"spikeplane_collisions_undefined": 1}
"""Attributes of a memory whose word is not read while it is being written, or which may then give
anything: block RAM needs no logic around it. Amaranth has no way to say so."""

COPY = {"spikeplane_copy": 1}
"""Attributes of a register that repeats another one to keep wires short: it is not merged with it."""

PREPARE = f"""
select -set undefined a:{next(iter(COLLISIONS_UNDEFINED))} %m
setparam -set COLLISION_X_MASK 1'1 @undefined t:$memrd_v2 %i
select -set copies a:{next(iter(COPY))} %ci1:+[Q] t:$*dff* %i
setattr -set keep 1 @copies
"""
"""Yosys commands to be run after the RTLIL is read."""
