"""All faults on purpose."""

from cluster_mutants import CLUSTERS
from gateware_mutants import GATEWARE
from software_mutants import SOFTWARE

__all__ = ["MUTANTS"]

MUTANTS = [*GATEWARE, *CLUSTERS, *SOFTWARE]
