"""IODA's signals as a source of the outage monitor."""

from __future__ import annotations

from dataclasses import dataclass

from skylift.adapters.ioda_api import IodaClient
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.ports.probes import Gathered, Measured, Sample, Signal

# What a signal is measured at, by IODA's help page; an answer that is coarser is refused by the client.
STEP_S = {"bgp": 300, "ping-slash24": 600, "merit-nt": 300}
KINDS = {"country": "country", "region": "region", "asn": "as"}
# History for a baseline of seven days, and a day.
_FIRST_US = 8 * US_PER_DAY
# A value that is missing for so long does not come any more.
_GIVEN_UP_US = 2 * 3_600 * US_PER_S


@dataclass
class IodaProbes:
    """One signal of one entity: country/UA, asn/15895 or region/4416."""

    client: IodaClient
    entity: str
    datasource: str
    country: str = ""
    name: str = "ioda"

    @property
    def signal(self) -> Signal:
        return Signal(self.datasource, self.name, STEP_S.get(self.datasource, 300) * US_PER_S)

    def gather(self, since_us: int, until_us: int) -> Gathered:
        step_us = self.signal.step_us
        since_us = max(since_us, (until_us - _FIRST_US) // step_us * step_us)
        series = self.client.signals(
            self.entity, self.datasource, since_us // US_PER_S, max(until_us, since_us + step_us) // US_PER_S
        )
        kind, _, code = self.entity.partition("/")
        country = self.country or (code if kind == "country" else "")
        code = f"AS{code}" if kind == "asn" else code
        samples = [
            Sample(one.at_us, Measured(KINDS[kind], code, country, some.title), one.value)
            for some in series
            for one in some.samples
            if one.value is not None and one.at_us >= since_us
        ]
        # The newest values come late, as null at first: a bin is complete once one at or after it has come.
        last_us = max((one.at_us for one in samples), default=since_us - step_us)
        return Gathered(samples, max(last_us + step_us, until_us - _GIVEN_UP_US))
