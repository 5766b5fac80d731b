"""The tables, one set for both databases. What they mean stands in docs/reference/store.md.

A test checks that the migrations make exactly these.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Table,
    Text,
    UniqueConstraint,
)

# The newest migration; an older database is migrated or refused, a newer one refused.
REVISION = "0002"

METADATA = MetaData()

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"

# Ids are compared byte by byte on both: PostgreSQL would otherwise sort them as its language does.
_EXACT = Text().with_variant(Text(collation="C"), "postgresql")

JOURNAL = Table(
    "journal",
    METADATA,
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("at_us", BigInteger, nullable=False),
    Column("by_id", _EXACT, nullable=False),
    Column("name", _EXACT, nullable=False),
    Column("subject_id", _EXACT, nullable=False),
    Column("cause_id", _EXACT),
    Column("version", BigInteger, nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous_hash", _EXACT, nullable=False),
    Column("hash", _EXACT, nullable=False),
)
Index("journal_subject", JOURNAL.c.subject_id, JOURNAL.c.sequence)

JOURNAL_HEAD = Table(
    "journal_head",
    METADATA,
    Column("one", Integer, CheckConstraint("one = 1", name="journal_head_one"), primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("hash", _EXACT, nullable=False),
)

THINGS = Table(
    "things",
    METADATA,
    Column("kind", _EXACT, nullable=False),
    Column("id", _EXACT, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("status", _EXACT, nullable=False),
    Column("region", _EXACT, nullable=False),
    Column("owner", _EXACT, nullable=False),
    # What a search looks through: id, keys and words in one case, one a line. Before the body, so that
    # SQLite need not walk over a long one.
    Column("words", Text, nullable=False),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("kind", "id", name="things_pk"),
)
Index("things_status", THINGS.c.kind, THINGS.c.status, THINGS.c.id)
Index("things_region", THINGS.c.kind, THINGS.c.region, THINGS.c.id)
Index("things_owner", THINGS.c.kind, THINGS.c.owner, THINGS.c.id)
# All that a search compares, without the bodies: looking through 100,000 things reads some 10 MB.
# PostgreSQL moves long bodies out of its tables by itself, and refuses index entries of more than 2.7 kB.
Index(
    "things_search",
    THINGS.c.kind,
    THINGS.c.id,
    THINGS.c.status,
    THINGS.c.region,
    THINGS.c.owner,
    THINGS.c.words,
).ddl_if(dialect="sqlite")

THING_KEYS = Table(
    "thing_keys",
    METADATA,
    Column("kind", _EXACT, nullable=False),
    Column("name", _EXACT, nullable=False),
    Column("value", _EXACT, nullable=False),
    Column("id", _EXACT, nullable=False),
    PrimaryKeyConstraint("kind", "name", "value", name="thing_keys_pk"),
    UniqueConstraint("kind", "id", "name", name="thing_keys_of"),
)

PERSONAL = Table(
    "personal",
    METADATA,
    Column("subject_id", _EXACT, nullable=False),
    Column("field", _EXACT, nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("subject_id", "field", name="personal_pk"),
)

# Who logs in is found by their e-mail, and by nothing else that is personal.
LOGIN_FIELD = "login_email"
Index(
    "personal_login",
    PERSONAL.c.field,
    PERSONAL.c.value,
    sqlite_where=PERSONAL.c.field == LOGIN_FIELD,
    postgresql_where=PERSONAL.c.field == LOGIN_FIELD,
)

# What was answered to writes that may come again, by a hash of who asked and of the key that they gave.
REPLIES = Table(
    "replies",
    METADATA,
    Column("key", _EXACT, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("asked", _EXACT, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", Text, nullable=False),
)
Index("replies_at", REPLIES.c.at_us)

META = Table(
    "meta",
    METADATA,
    Column("name", _EXACT, primary_key=True),
    Column("value", Text, nullable=False),
)

# --- what is counted and not journalled

# How far whatever reads the journal has come, by its own name; the note is its own, as JSON.
PROGRESS = Table(
    "progress",
    METADATA,
    Column("name", _EXACT, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)

# What terminals reported, so that a report that comes again counts once; forgotten after a while.
USAGE = Table(
    "usage",
    METADATA,
    Column("terminal", _EXACT, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("down_bytes", BigInteger, nullable=False),
    Column("up_bytes", BigInteger, nullable=False),
    PrimaryKeyConstraint("terminal", "sequence", name="usage_pk"),
)
Index("usage_at", USAGE.c.at_us)

USAGE_DAYS = Table(
    "usage_days",
    METADATA,
    Column("terminal", _EXACT, nullable=False),
    Column("day", _EXACT, nullable=False),
    Column("account", _EXACT, nullable=False),
    Column("down_bytes", BigInteger, nullable=False),
    Column("up_bytes", BigInteger, nullable=False),
    PrimaryKeyConstraint("terminal", "day", "account", name="usage_days_pk"),
)
Index("usage_days_account", USAGE_DAYS.c.account, USAGE_DAYS.c.day)

# What an account has used in a cycle; `changed` counts changes, so that a reader finds the newest ones.
USAGE_CYCLES = Table(
    "usage_cycles",
    METADATA,
    Column("account", _EXACT, nullable=False),
    Column("cycle", _EXACT, nullable=False),
    Column("used_bytes", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "cycle", name="usage_cycles_pk"),
)
Index("usage_cycles_changed", USAGE_CYCLES.c.changed)

# How many used the app, and how many for the first time: two numbers, and nothing of whom.
APP_DAYS = Table(
    "app_days",
    METADATA,
    Column("country", _EXACT, nullable=False),
    Column("day", _EXACT, nullable=False),
    Column("installs", BigInteger, nullable=False),
    Column("active", BigInteger, nullable=False),
    PrimaryKeyConstraint("country", "day", name="app_days_pk"),
)
