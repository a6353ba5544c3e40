"""What a network is: ops, graphs, specs, wiring, the zoo. Standard library only."""
