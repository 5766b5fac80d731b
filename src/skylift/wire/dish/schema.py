"""Messages of the dish's interface, made from a packaged descriptor set."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "SpaceX.API.Device.Device"
_PACKAGE = "SpaceX.API.Device."


class Schema:
    """Message classes and enumerations by name, and the raw files for reflection.

    schema.message("Request")         a class
    schema.number("EventReason", "EVENT_REASON_OUTAGE_NO_SATS")
    """

    def __init__(self, descriptor_set: bytes) -> None:
        """descriptor_set  a serialised FileDescriptorSet, imports included and first."""
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptor_set).file
        # Of its own: a process may hold the descriptors of another firmware beside ours.
        self._pool = descriptor_pool.DescriptorPool()
        # By name, in order of dependence: what reflection hands out, byte for byte.
        self.files: dict[str, bytes] = {}
        for file in files:
            raw = file.SerializeToString()
            self.files[file.name] = raw
            self._pool.AddSerializedFile(raw)

    def message(self, name: str) -> Any:
        """The class of a message of the device's package. Raises KeyError for a name that is not there."""
        return message_factory.GetMessageClass(self._pool.FindMessageTypeByName(_PACKAGE + name))

    def number(self, enumeration: str, value: str) -> int:
        """The number of an enumeration's value, in the device's package."""
        found = self._pool.FindEnumTypeByName(_PACKAGE + enumeration)
        return int(found.values_by_name[value].number)

    def file_of_symbol(self, symbol: str) -> str | None:
        """Name of the file that defines a service, message or enumeration."""
        try:
            return str(self._pool.FindFileContainingSymbol(symbol).name)
        except KeyError:
            return None
