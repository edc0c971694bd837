"""What recordings cost, by prices.toml: list prices in US$."""

import tomllib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

PRICES = Path(__file__).with_name("prices.toml")
_HOUR = 3600


class PricesUnreadable(Exception):
    """prices.toml is not what it should be."""


@dataclass(frozen=True, slots=True)
class Range:
    """From and to."""

    least: Decimal
    most: Decimal


@dataclass(frozen=True, slots=True)
class Prices:
    """The content of prices.toml."""

    models: Mapping[str, Decimal]
    options: Mapping[str, Decimal]
    included: Collection[str]
    units: Mapping[str, Decimal]
    """Of AWS: one request, one GB-second of Lambda's time, one byte of logs."""
    monthly: Mapping[str, Decimal]
    """Of AWS: what is there costs so much a month."""
    recording: Mapping[str, Mapping[str, Decimal]]
    """What one recording takes of the units, by CompletionMode."""
    bit_rates: Mapping[str, tuple[int, int]]
    sources: tuple[str, str]

    @classmethod
    def load(cls, path: Path = PRICES) -> Self:
        """Read the file. Raises PricesUnreadable."""
        try:
            read = tomllib.loads(path.read_text(), parse_float=Decimal)
            provider, aws = read["provider"], read["aws"]
            return cls(
                models=provider["models"],
                options=provider["options"],
                included=frozenset(provider["included"]["options"]),
                units={name: price / 1_000_000 for name, price in aws["millions"].items()},
                monthly=aws["monthly"],
                recording={
                    mode: {name: Decimal(number) for name, number in aws[section].items()}
                    for mode, section in (("webhook", "recording"), ("poll", "recording_poll"))
                },
                bit_rates={name: (low, high) for name, (low, high) in read["bit_rates"].items()},
                sources=(f"{provider['source']}, {provider['read']}", f"{aws['source']}, {aws['read']}"),
            )
        except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
            message = f"{path} cannot be read: {type(error).__name__}: {error}"
            raise PricesUnreadable(message) from error

    def of_recording(self, completion_mode: str) -> Decimal:
        """What AWS takes for one recording, by the units that were counted."""
        return self.of_units(self.recording[completion_mode])

    def of_units(self, counts: Mapping[str, Decimal]) -> Decimal:
        """What AWS takes for so many units."""
        return sum((self.units[name] * number for name, number in counts.items()), Decimal(0))

    def per_hour(self, model: str, options: Collection[str]) -> tuple[dict[str, Decimal], list[str]]:
        """The parts of the price of an hour, by model and option; and those whose price is not known."""
        known = {model: self.models[model]} if model in self.models else {}
        known |= {name: self.options[name] for name in options if name in self.options}
        unknown = [] if model in self.models else [model]
        unknown += [name for name in options if name not in self.options and name not in self.included]
        return known, unknown

    def transcript(self, seconds: int, model: str, options: Collection[str]) -> tuple[dict[str, Decimal], list[str]]:
        """The parts of the price of one transcript, and those whose price is not known."""
        known, unknown = self.per_hour(model, options)
        return {name: price * seconds / _HOUR for name, price in known.items()}, unknown

    def seconds(self, sizes: Mapping[str, int]) -> Range:
        """How long recordings may be that have so many bytes, by the end of their names: a guess."""
        least = most = Decimal(0)
        for suffix, size in sizes.items():
            low, high = self.bit_rates.get(suffix, self.bit_rates["other"])
            least += Decimal(size * 8) / (high * 1000)
            most += Decimal(size * 8) / (low * 1000)
        return Range(least, most)

    def guess(self, sizes: Mapping[str, int], model: str, options: Collection[str]) -> tuple[Range, Range]:
        """Seconds and price of recordings of these sizes."""
        long = self.seconds(sizes)
        price = sum(self.per_hour(model, options)[0].values(), Decimal(0)) / _HOUR
        return long, Range(long.least * price, long.most * price)


def suffix_of(key: str) -> str:
    """The end of a name, by which bit rates are known."""
    return key.rpartition("/")[2].rpartition(".")[2].lower()


def sizes_of(objects: Collection[tuple[str, int]]) -> dict[str, int]:
    """Bytes by the ends of the names."""
    sizes: Counter[str] = Counter()
    for key, size in objects:
        sizes[suffix_of(key)] += size
    return dict(sizes)


def asked(options: Mapping[str, Any]) -> list[str]:
    """The names, as they are billed, of what options ask for; key phrases are always."""
    tasks = options.get("speech_understanding", {}).get("request", {})
    plain = (name for name, value in options.items() if value not in (False, None) and name != "speech_understanding")
    priced = set(Prices.load().options) | {"auto_chapters", "keyterms_prompt", "prompt", "domain", "multichannel"}
    return [
        "auto_highlights",
        *(name for name in plain if name in priced),
        *(f"speech_understanding.{one}" for one in tasks),
    ]


def dollars(amount: Decimal) -> str:
    """As people read it: cents, and less where it is less."""
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def hours(seconds: Decimal | int) -> str:
    """A length as people read it."""
    return f"{Decimal(seconds) / _HOUR:,.1f} h" if seconds >= _HOUR else f"{Decimal(seconds) / 60:.1f} min"


def between(amount: Range) -> str:
    """A range of prices."""
    return f"between {dollars(amount.least)} and {dollars(amount.most)}"
