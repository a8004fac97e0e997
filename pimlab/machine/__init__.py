"""What is a machine? The protocol that all three stages speak, and the machines known by name."""
