"""Events, states and pictures for Home Assistant and whoever else reads MQTT."""
