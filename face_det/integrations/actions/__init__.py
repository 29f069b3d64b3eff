"""Commands, webhooks and pins that follow when somebody is seen."""
