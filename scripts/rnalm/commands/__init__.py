"""The subcommands of `rnalm`, a module each: its docstring is the help, `add` declares arguments, `run` does it."""
