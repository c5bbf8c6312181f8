"""Tables about the repo itself: applied migrations, revision, settings."""

import sqlalchemy as sa

from redun.backends.db.orm.types import Base, Column, DateTimeUTC


class RedunVersion(Base):
    """One `migrate` call that changed the schema. Append-only; the newest row rules."""

    __tablename__ = "redun_version"

    id = Column(sa.String, primary_key=True)
    version = Column(sa.Integer)
    timestamp = Column(DateTimeUTC)


class RedunMigration(Base):
    """The revision the schema is at, in the migration tool's own table."""

    __tablename__ = "alembic_version"
    __table_args__ = (sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),)

    version_num = Column(sa.String(32))


class RedunSetting(Base):
    """
    A property of the repo that holds for everybody who opens it.

    `hash_scheme` is the only key so far. The table is ours (revision 3.6): programs that know
    only the reference schema neither read nor need it.
    """

    __tablename__ = "redun_setting"

    key = Column(sa.String, primary_key=True)
    value = Column(sa.String)
