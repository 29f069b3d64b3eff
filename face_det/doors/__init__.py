"""How the outside gets in: RPC daemon, client, commands."""
