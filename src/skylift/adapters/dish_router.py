"""The router beside a dish, over the same local interface: its Wi-Fi is switched off, where it allows that.

Names are those that published clients ship (starlink-client, descriptors of January 2025). A router of August
2026 was seen to refuse this request from its own network (github.com/DaveyHert/Dishylink/pull/17): then it is
for the owner's app. Not tried on a real router.
"""

from __future__ import annotations

from typing import Any, Final

from skylift.adapters.dish_client import DishClient, Done
from skylift.base.errors import Refused, Unavailable
from skylift.wire.dish.fields import MessageFields, truth

DEFAULT_ROUTER: Final = "192.168.1.1:9000"
_BANDS: Final = ("disable_2ghz", "disable_5ghz", "disable_5ghz_high")
_BY_HAND: Final = "switch it off in the owner's app, or pull the router's power"


def wifi_off(target: str) -> Done:
    """Switch the Wi-Fi of the router at "host:port" off. Raises Refused or Unavailable unless it says so."""
    with DishClient(target) as router:
        try:
            return _wifi_off(router)
        except Refused as error:
            raise Refused(
                "router.refuses", "the router", f"the router refuses it ({error.rule})", _BY_HAND
            ) from None
        except Unavailable as error:
            raise Unavailable(error.code, "the router", f"{error.rule}: {_BY_HAND}", _BY_HAND) from None


def _wifi_off(router: DishClient) -> Done:
    bands: list[str] = []

    def fill(request: Any) -> None:
        config = request.wifi_set_config.wifi_config
        bands.extend(band for band in _BANDS if hasattr(config, band))
        for band in bands:
            setattr(config, band, True)
            setattr(config, f"apply_{band}", True)

    answer = MessageFields(router.ask(fill)).child("wifi_set_config")
    config = None if answer is None else answer.child("updated_wifi_config")
    if not bands or not all(truth(config, band) for band in bands):
        raise Unavailable(
            "router.unconfirmed", "the router", "it does not say that its Wi-Fi is off", _BY_HAND
        )
    return Done("its Wi-Fi is off, as the router says")
