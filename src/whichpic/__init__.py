"""whichpic: find the picture in your head by talking about it."""

__version__ = "0.1.0"
