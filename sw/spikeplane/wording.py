"""Words that several places use for the same thing."""

__all__ = ["potential_text"]


def potential_text(state_bits: int) -> str:
    """Return the width of a layer's potentials in words."""
    return f"{state_bits}-bit potentials" if state_bits else "no potentials"
