"""How signals and gradients travel through a network, in closed form."""
