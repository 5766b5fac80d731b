"""What fields, verbs and choices are called on pages, and one line of help where a name does not say enough.

A field that stands in no table is called by its name: a new verb has a form at once, and gets words later.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

# By "kind.verb.field", or by "field" where it means the same everywhere.
LABELS: Mapping[str, str] = {
    "asked_at": "When was it asked?",
    "asker": "Who asks",
    "authority": "Authority",
    "basis": "On what it rests",
    "batch": "Shipment",
    "came": "What came instead",
    "captured": "By an enemy's forces",
    "cell": "Cell",
    "cleared": "Customs let it in",
    "codes": "Scanned codes",
    "csv": "Table",
    "cut_off": "How many are cut off",
    "damaged": "Damaged",
    "damaged_codes": "Scanned codes of damaged pieces",
    "despite": "Its word on owners with more",
    "dish_id": "Dish id",
    "document": "Document",
    "down_bps": "Down (bit/s)",
    "up_bps": "Up (bit/s)",
    "slow_bps": "Beyond the allowance (bit/s)",
    "flagged": "How many of these are watched",
    "for_ever": "For ever: nobody lifts it",
    "from_place": "From",
    "to_place": "To",
    "how": "How",
    "into": "Into which request",
    "kit": "Kit number",
    "latitude_deg": "Latitude (degrees)",
    "longitude_deg": "Longitude (degrees)",
    "limits": "Limits",
    "limits.allow_list_only": "Only terminals on the allow-list",
    "limits.speed_cap_bps": "Speed cap (bit/s)",
    "limits.roaming": "Terminals from elsewhere may roam here",
    "limits.hours_utc": "Hours of service (UTC)",
    "lines": "Lines",
    "line.product": "Product",
    "line.quantity": "Quantity",
    "line.serial": "Serial",
    "came.product": "Product that came",
    "came.quantity": "Quantity that came",
    "came.serial": "Serial that came",
    "list_id": "Allow-list",
    "list_name": "List and its date",
    "needed_by": "Needed by",
    "origin": "Origin",
    "pause_why": "Why (of a pause)",
    "people": "People served",
    "paper": "Paper",
    "place": "Depot or account",
    "place_uk": "Its name in Ukrainian",
    "service_class": "Class of service",
    "site": "Name of the site",
    "site_kind": "Kind of site",
    "skip": "Leave out those that it cannot be done to",
    "sound": "Sound",
    "standing": "Where it stands",
    "terminals_wanted": "Terminals wanted",
    "to": "To which account",
    "to_owner": "Back to its owner",
    "valid_from": "Valid from",
    "valid_until": "Valid until",
    "why": "Why",
    "words": "Their words",
    "request.accept.terminals": "Terminals promised",
    "request.answer.terminals": "Terminals that are there",
    "request.verify.authority": "Who vouches for the asker",
    "request.verify.how": "How it was checked",
    "shipment.create.origin": "From (depot)",
    "shipment.create.destination": "To (depot or account)",
    "shipment.create.recipient": "Who confirms it (account)",
    "shipment.create.reference": "Tracking number",
    "terminal.create.origin": "How it came to us",
    "statement.create.about": "Region",
    "statement.create.kind": "What is told",
    "bulk-change.create.terminals": "Terminals",
}

HELP: Mapping[str, str] = {
    "asked_at": "Leave it empty where it was just now. A public post is older than its reading.",
    "asker": "A name. It can be erased, and stands in no log.",
    "authority": "Its name or code, as the service knows it: no person.",
    "carrier": "Its code, such as NP-1.",
    "cell": "H3 index of resolution 5, such as 851e5227fffffff.",
    "cells": "H3 indices of resolution 5, apart by spaces or lines; “skylift cells” lists a country’s.",
    "codes": "One on each line, as a scanner types them.",
    "contact": "A telephone number or an e-mail address; it can be erased.",
    "country": "Two capitals, such as UA.",
    "csv": "With the headings product, quantity, serial. One bad row, and none is taken.",
    "dish_id": "As the network knows it, such as ut01000000-00000000-00001234.",
    "document": "A number that a paper bears, such as “decision 118/26”: no person's name.",
    "evidence": "A reference of what the enforcer showed.",
    "hardware": "Its model, such as STD-V2.",
    "latitude_deg": "Exact places are kept apart and can be erased; both or none.",
    "limits": "Of restricted cells alone.",
    "limits.hours_utc": "Whole hours such as 6 7 8; empty for always.",
    "limits.speed_cap_bps": "Empty for none.",
    "line.serial": "Empty for what is only counted.",
    "lines": "One on each line: product, serial – or product, number – such as STD-V2, KIT0001A.",
    "list_name": "Which list, with its date.",
    "needed_by": "Empty where there is no deadline.",
    "place": "A depot's code such as WAW-1, or an account's id.",
    "place_uk": "As it stands in a sentence, such as Україна.",
    "people": "How many it serves; 0 where nobody said.",
    "reason": "It is kept for ever: a reason, no story about people.",
    "reference": "The authority's own reference; never a person's number.",
    "regions": "Their ids, apart by spaces; empty for everywhere, where the role allows that.",
    "serial": "As printed, with its letters.",
    "allowance_bytes": "Of a month; empty for none.",
    "down_bps": "50e6 is 50 Mbit/s.",
    "quantity": "Empty for all of it.",
    "valid_until": "A temporary authorisation lasts at most 180 days.",
    "request.accept.terminals": "How many will be sent.",
    "request.verify.how": "In a word: call back, letter, in person.",
    "shipment.create.lines": "May stay empty: lines can be added later. One on each line: product, serial.",
    "shipment.create.reference": "As the carrier knows it.",
    "region.create.title": "What people call it.",
    "bulk-change.create.region": "Where all of them are.",
    "bulk-change.create.terminals": "Their ids, apart by spaces or lines.",
}

# What a verb is called on its button, where its name alone would puzzle.
VERBS: Mapping[str, str] = {
    "request.create": "Take a call for help",
    "request.place": "Say where it is",
    "request.verify": "Verify the asker",
    "request.merge": "Merge into another",
    "request.separate": "Undo the merge",
    "request.accept": "Promise terminals",
    "request.refuse": "Refuse",
    "request.answer": "Record as answered",
    "region.create": "Open a region",
    "region.request": "Ask the authority",
    "region.grant": "Grant a paper",
    "region.revoke": "Take a paper back",
    "region.activate": "Switch service on",
    "region.suspend": "Pause service",
    "region.prohibit": "Forbid service",
    "region.lift": "Lift the prohibition",
    "region.cells": "Change how cells are served",
    "region.cells-remove": "Take cells out",
    "account.plan": "Put on a plan",
    "account.lift-sanction": "Record as off the list",
    "account.sanction": "Record a sanction",
    "person.create": "Add a person",
    "account.create": "Open an account",
    "person.grant": "Give a role",
    "person.take": "Take a role",
    "person.lock": "Lock out",
    "person.leave": "Record that they left",
    "plan.create": "Offer a plan",
    "terminal.create": "Record a terminal",
    "terminal.name": "Correct its numbers",
    "terminal.export": "Record its export",
    "terminal.enter-customs": "Record: in customs",
    "terminal.leave-customs": "Record: out of customs",
    "terminal.deliver": "Record its delivery",
    "terminal.register": "Register to an account",
    "terminal.move": "Change its home",
    "terminal.activate": "Switch on",
    "terminal.pause": "Pause",
    "terminal.report-lost": "Report lost",
    "terminal.report-stolen": "Report stolen",
    "terminal.find": "Record as found",
    "terminal.end-offer": "Take the offer back",
    "terminal.decline": "Leave what was offered",
    "terminal.accept": "Take what was offered",
    "terminal.hand-over": "Offer to another account",
    "terminal.unregister": "Give it up",
    "terminal.confirm": "Record a confirmation",
    "terminal.report-failed": "Record a failure",
    "terminal.ask-field": "Ask the field",
    "terminal.ask-again": "Ask its network again",
    "terminal.retire": "Take out of use",
    "terminal.restore": "Bring back into use",
    "shipment.create": "Begin a shipment",
    "shipment.import-lines": "Add lines from a table",
    "shipment.scan-lines": "Add scanned codes",
    "shipment.add-lines": "Add lines",
    "shipment.remove-lines": "Take lines off",
    "shipment.plan-leg": "Plan the next leg",
    "shipment.drop-legs": "Forget planned legs",
    "shipment.set-paper": "Record a customs paper",
    "shipment.enter-customs": "Record: in customs",
    "shipment.leave-customs": "Record: out of customs",
    "shipment.lose": "Record as lost",
    "shipment.find": "Record as found",
    "shipment.receive": "Record what came",
    "shipment.receive-scans": "Record scanned codes",
    "shipment.swap": "Another piece came",
    "shipment.complete": "All boxes are open",
    "shipment.notice": "Correct what came",
    "shipment.resolve": "Resolve a discrepancy",
    "shipment.prove": "Record proof of delivery",
    "shipment.confirm": "Confirm the receipt",
    "statement.create": "Draft a statement",
    "statement.redraft": "Draft it anew",
    "bulk-change.create": "Change many terminals",
    "allow-list.create": "Take an authority's list",
    "allow-list.extend": "Give more time",
    "allow-list.apply": "Apply",
    "allow-list.carry-out": "Carry out the next part",
}

CHOICES: Mapping[str, str] = {
    "not-allowed-there": "Service is not allowed there",
    "asker-not-verified": "The asker could not be verified",
    "no-coverage": "Out of reach of the satellites",
    "no-terminals-left": "No terminals are left",
    "other-means-available": "Other means are at hand",
    "not-a-call-for-help": "It is no call for help",
    "email": "E-mail",
    "api": "API",
    "csv": "CSV",
    "ours": "Ours",
    "Network.operator": "An operator's",
    "Basis.operator": "The operator's own check",
    "LIFE": "1 – life and rescue",
    "CRITICAL": "2 – critical supply",
    "GOVERNMENT": "3 – government and aid",
    "EVERYBODY": "4 – everybody",
}


def verb_label(name: str) -> str:
    """What a verb's button says."""
    return VERBS.get(name) or plain(name.partition(".")[2])


def field_label(verb: str, field: str) -> str:
    return _of(LABELS, verb, field) or plain(field.rpartition(".")[2])


def field_help(verb: str, field: str) -> str:
    return _of(HELP, verb, field)


def _of(table: Mapping[str, str], verb: str, field: str) -> str:
    last = field.rpartition(".")[2]
    return table.get(f"{verb}.{field}") or table.get(field) or table.get(last, "")


def choice_label(value: enum.Enum | str) -> str:
    """A word of a list of choices, as people say it."""
    if isinstance(value, enum.IntEnum):
        return CHOICES.get(value.name, plain(value.name.lower()))
    text = str(value.value) if isinstance(value, enum.Enum) else value
    return CHOICES.get(f"{type(value).__name__}.{text}") or CHOICES.get(text) or plain(text)


def plain(name: str) -> str:
    """ "site_kind" as "Site kind"."""
    words = name.replace("_", " ").replace("-", " ").replace(".", " ").strip()
    return words[:1].upper() + words[1:]
