"""What ``agentool`` runs when it is given no file: real work on this machine, small enough to read in a minute."""
