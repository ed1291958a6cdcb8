"""The ops room: what the server does right now, and whether it is getting slower."""
