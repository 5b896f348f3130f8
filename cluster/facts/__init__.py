"""What a machine says of itself: one question over SSH, and the typed answer."""
