"""Who may use the gateway, and what keeps everybody else out."""
