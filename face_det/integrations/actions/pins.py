"""Switches pins on for a while, with gpiozero."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from face_det.errors import ConfigError
from face_det.integrations.actions.effects import ActionFailed

log = logging.getLogger(__name__)

AGAIN_S = 1.0
"""After so long, a pin is switched off again if that failed."""


class Pin:
    """An output pin, which is off unless it was switched on for a while; several actions may share it."""

    def __init__(self, number: str, *, active_low: bool = False) -> None:
        """Switch the pin off. Raises ConfigError if gpiozero is missing or the pin cannot be used."""
        self.number = number
        self._on_until = 0.0
        self._off: asyncio.TimerHandle | None = None
        try:
            from gpiozero import DigitalOutputDevice
            from gpiozero.exc import GPIOZeroError
        except ImportError as error:
            raise ConfigError(
                [f"gpio {number}: needs gpiozero; install it: pip install 'face_det[gpio]'"]
            ) from error
        self._error: type[Exception] = GPIOZeroError
        try:
            self._device = DigitalOutputDevice(number, active_high=not active_low, initial_value=False)
        except (GPIOZeroError, OSError, ValueError, RuntimeError) as error:
            why = f"{error}; check its name, and access to the pins"
            raise ConfigError([f"gpio {number}: cannot be used: {why}"]) from error

    def switch_on(self, seconds: float) -> None:
        """Switch it on, and off again after so many seconds, or later if another action needs it longer.

        Raises ActionFailed. It is switched off even then: it may be on all the same.
        """
        loop = asyncio.get_running_loop()
        until = max(self._on_until, loop.time() + seconds)
        self._on_until = until
        if self._off is not None:
            self._off.cancel()
        self._off = loop.call_at(until, self._switch_off)
        try:
            self._device.on()
        except (self._error, OSError) as error:
            raise ActionFailed(f"gpio {self.number}: cannot be switched on: {error}") from error

    def _switch_off(self) -> None:
        """Switch it off; what it opened would otherwise stay open."""
        try:
            self._device.off()
        except (self._error, OSError) as error:
            log.error("gpio %s: cannot be switched off: %s; it is tried again", self.number, error)
            self._off = asyncio.get_running_loop().call_later(AGAIN_S, self._switch_off)

    def close(self) -> None:
        """Switch it off, and release it."""
        if self._off is not None:
            self._off.cancel()
        if not self._device.closed:
            self._device.off()
            self._device.close()


class Pulse:
    """Switches a pin on for a while."""

    def __init__(self, pin: Pin, seconds: float) -> None:
        self._pin = pin
        self._seconds = seconds

    async def perform(self, event: dict[str, Any]) -> None:
        """Switch the pin on, and return; it is switched off when it is time."""
        self._pin.switch_on(self._seconds)

    async def close(self) -> None:
        """Switch the pin off."""
        self._pin.close()
