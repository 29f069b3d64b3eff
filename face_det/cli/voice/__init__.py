"""The command `face-det voice`: its subcommands."""
