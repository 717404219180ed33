"""`python -m whichpic`, the same as the `whichpic` program."""

from whichpic.cli import main

if __name__ == "__main__":
    main()
