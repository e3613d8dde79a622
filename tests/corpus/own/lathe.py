"""Turns."""


class Lathe:
    """A machine."""

    def turn(self, speed: int) -> None:
        """Turn."""
        self.speed = speed
