"""Published evaluation protocols and the files that others wrote: each is read into a Run, or into recorded dialogues."""
