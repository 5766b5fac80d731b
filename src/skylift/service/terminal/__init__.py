"""A dish from the factory to its last day: who has it, may it speak, and does the world know.

Two truths stand side by side, and are never mixed. `Terminal.state` is what was decided (active, lost,
blocked); `Terminal.commands` is what was asked of those who make it so, and what they confirmed.
`in_force(at)` counts confirmations alone: a block that nobody confirmed is not in force. On networks that
skylift runs, the Asks of the next slot read `Terminal.barred`, so a lost terminal is cut off before any
confirmation is written.

    events.py     what can happen, one frozen class per fact
    commands.py   asked, confirmed, failed; what is in force at an instant; who must be asked again
    service_line.py  the line that it is on at an operator's, as others record it
    state.py      Terminal, the table of its life, what each event makes of it, ROOM
    decide.py     the rules from the factory to service: register, verify, activate, pause, hand over
    trouble.py    the rules when things go wrong: lost, stolen, found, blocked, released, retired
    allow_list/   an authority's list of who may be served: rules as data, preview, grace, cut-off

Whatever takes a terminal out of service returns the event and the command to its enforcer at once, so that
nobody forgets to ask. What was out of its owner's hands (lost, stolen, blocked) comes back as "delivered":
it is registered and verified anew before it speaks again.
"""
