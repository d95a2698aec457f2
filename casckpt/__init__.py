"""casckpt: a content-addressed, git-like checkpoint store for the state of Python agents."""
