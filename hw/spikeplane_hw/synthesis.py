"""What only synthesis needs to know of a design: attributes, and the Yosys commands that heed them."""

__all__ = ["COLLISIONS_UNDEFINED", "COPY", "END_CARRIES", "PREPARE"]

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

END_CARRIES = """
select -set carries t:CCU2C %co1:+[COUT] w:* %i
splitnets @carries
opt_clean -purge
select -set read t:* %ci1 w:* %i
select -set unread t:CCU2C %co1:+[COUT] w:* %i @read %d
select -set last @unread %ci1:+[COUT] t:CCU2C %i
chtype -set carry_end @last
design -push
read_verilog <<END
module carry_end(input CIN, A0, B0, C0, D0, A1, B1, C1, D1, output S0, S1, COUT);
parameter [15:0] INIT0 = 0;
parameter [15:0] INIT1 = 0;
parameter INJECT1_0 = "YES";
parameter INJECT1_1 = "YES";
CCU2C #(.INIT0(INIT0), .INIT1(INIT1), .INJECT1_0(INJECT1_0), .INJECT1_1(INJECT1_1)) _TECHMAP_REPLACE_ (
.CIN(CIN), .A0(A0), .B0(B0), .C0(C0), .D0(D0), .A1(A1), .B1(B1), .C1(C1), .D1(D1), .S0(S0), .S1(S1), .COUT(1'bx));
endmodule
END
design -stash ends
design -pop
techmap -map %ends @last
opt_clean
"""
"""Yosys commands to be run after synthesis for ECP5: carries out that nothing reads are left open.

Where a net hangs on one, nextpnr spends a cell to bring it out.
"""
