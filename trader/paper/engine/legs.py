"""A take profit or stop loss as one value, and how a client changes it.

The same words serve the preset of an order, the preset of a conditional order and the guards of a
position, so that "keep", "remove" and "move" mean the same everywhere.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trader.paper.engine.model import Preset, Reference


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """``trigger`` ``None`` = there is none; ``execute`` ``None`` = at market."""

    trigger: Decimal | None = None
    execute: Decimal | None = None
    reference: Reference = Reference.LAST


class LegChange(msgspec.Struct, frozen=True, kw_only=True):
    """``None`` keeps. A trigger of 0 removes the leg, an execute price of 0 makes it a market one."""

    trigger: Decimal | None = None
    execute: Decimal | None = None
    reference: Reference | None = None

    def applied(self, old: Leg) -> Leg:
        trigger = old.trigger if self.trigger is None else self.trigger or None
        if trigger is None:
            return Leg()
        return Leg(
            trigger=trigger,
            execute=old.execute if self.execute is None else self.execute or None,
            reference=self.reference or old.reference,
        )


KEEP = LegChange()


def take_profit(preset: Preset) -> Leg:
    return Leg(
        trigger=preset.take_profit,
        execute=preset.take_profit_execute,
        reference=preset.take_profit_reference,
    )


def stop_loss(preset: Preset) -> Leg:
    return Leg(
        trigger=preset.stop_loss, execute=preset.stop_loss_execute, reference=preset.stop_loss_reference
    )


def preset_of(profit: Leg, loss: Leg) -> Preset:
    return Preset(
        take_profit=profit.trigger,
        stop_loss=loss.trigger,
        take_profit_execute=profit.execute,
        stop_loss_execute=loss.execute,
        take_profit_reference=profit.reference,
        stop_loss_reference=loss.reference,
    )


def changed(preset: Preset, profit: LegChange, loss: LegChange) -> Preset:
    new = preset_of(profit.applied(take_profit(preset)), loss.applied(stop_loss(preset)))
    return msgspec.structs.replace(new, paired=preset.paired)
