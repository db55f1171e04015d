"""One module a family: its network, behind the interface of HierarchicalVAE."""
