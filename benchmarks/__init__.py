"""Speed and quality, measured by hand: `make bench`. One script per figure; each prints the command that made it."""
