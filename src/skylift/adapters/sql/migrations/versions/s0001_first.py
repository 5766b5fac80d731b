"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


# Written out rather than taken from the schema: a migration says for ever what it once did.
exact = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    _journal()
    _things()
    _personal()
    op.create_table(
        "meta",
        sa.Column("name", exact, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("sequence", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("by_id", exact, nullable=False),
        sa.Column("name", exact, nullable=False),
        sa.Column("subject_id", exact, nullable=False),
        sa.Column("cause_id", exact),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("previous_hash", exact, nullable=False),
        sa.Column("hash", exact, nullable=False),
    )
    op.create_index("journal_subject", "journal", ["subject_id", "sequence"])
    head = op.create_table(
        "journal_head",
        sa.Column(
            "one", sa.Integer, sa.CheckConstraint("one = 1", name="journal_head_one"), primary_key=True
        ),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("hash", exact, nullable=False),
    )
    op.bulk_insert(head, [{"one": 1, "sequence": 0, "hash": ""}])


def _things() -> None:
    op.create_table(
        "things",
        sa.Column("kind", exact, nullable=False),
        sa.Column("id", exact, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("status", exact, nullable=False),
        sa.Column("region", exact, nullable=False),
        sa.Column("owner", exact, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("kind", "id", name="things_pk"),
    )
    op.create_index("things_status", "things", ["kind", "status", "id"])
    op.create_index("things_region", "things", ["kind", "region", "id"])
    op.create_index("things_owner", "things", ["kind", "owner", "id"])
    if op.get_bind().dialect.name == "sqlite":
        searched = ["kind", "id", "status", "region", "owner", "words"]
        op.create_index("things_search", "things", searched)
    op.create_table(
        "thing_keys",
        sa.Column("kind", exact, nullable=False),
        sa.Column("name", exact, nullable=False),
        sa.Column("value", exact, nullable=False),
        sa.Column("id", exact, nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "value", name="thing_keys_pk"),
        sa.UniqueConstraint("kind", "id", "name", name="thing_keys_of"),
    )


def _personal() -> None:
    op.create_table(
        "personal",
        sa.Column("subject_id", exact, nullable=False),
        sa.Column("field", exact, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("subject_id", "field", name="personal_pk"),
    )
    op.create_index(
        "personal_login",
        "personal",
        ["field", "value"],
        sqlite_where=sa.text("field = 'login_email'"),
        postgresql_where=sa.text("field = 'login_email'"),
    )
    op.create_table(
        "replies",
        sa.Column("key", exact, primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("asked", exact, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("replies_at", "replies", ["at_us"])
    if op.get_bind().dialect.name == "postgresql":
        # ANALYZE would copy common values into pg_statistic, where no erasure reaches them.
        op.execute("ALTER TABLE personal ALTER COLUMN value SET STATISTICS 0")
