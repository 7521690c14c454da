"""Networks that predict properties from space group, composition and lattice.

Files from the bottom up: inputs (what a network reads), features (how crystals become inputs), terms (what a network
predicts), layers, base (sizes, and what all networks share), one file for each kind of network, and the registry of
kinds. A new kind is a class in a file of its own and a line in :data:`~crystalgfn.proxies.networks.registry.NETWORKS`.
"""
