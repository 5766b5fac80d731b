"""An authority's list of whose terminals may be served: read, shown, and only then applied.

    rules.py    the authority's rules as versioned, dated data (data/allow-lists/*.toml)
    rows.py     a table from a file -> entries; identity numbers are refused, and repeated nowhere
    preview.py  who would be cut off, who stays, what does not match, which rules are broken, whom it hurts
    events.py, state.py, decide.py   the import as a thing: accepted, applied after the grace, withdrawn,
    replaced

The way of a list: `rows.read` -> `preview.preview` (shown to people) -> `decide.accepted` -> the grace ends
-> `decide.applied`, which looks at the terminals anew -> the caller blocks each terminal of `cut_off(at)`
with `trouble.blocked` and verifies those that stay with `decide.verified`, each with the list's id.
"""
