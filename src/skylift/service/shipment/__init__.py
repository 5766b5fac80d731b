"""Consignments on their way: what is in them, where they are, what came, what did not, and what that makes
of stock.

A consignment is drafted, packed, carried leg by leg through customs, arrives, is received, and is closed once
every discrepancy has been resolved, a proof of delivery is there and the recipient has confirmed. Places are
codes of depots (WAW-1) or accounts (acc_...), never addresses.

    events.py    what can happen; every event that moves goods says what and where to
    state.py     Shipment, the table of its life, what each event makes of it, ROOM
    decide.py    the rules of the way: draft, pack, legs, customs, turned back, cancelled, lost
    receive.py   the rules of arrival: partial and damaged receipts, discrepancies, proof, confirmation,
    closing lines.py     CSV rows and scanned codes -> lines; one bad row and none is read
    stock.py     who has how many and where, at any time: a fold over the events of all consignments

Goods are told apart by serial, or counted by product where a kit has no serial. Nothing is created or lost:
what nobody can find is at the place "missing" until it is found or written off.
"""
