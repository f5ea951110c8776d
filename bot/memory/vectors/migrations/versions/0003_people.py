"""PostgreSQL notes which transaction last changed a person's memories, so that a cache can tell whether it is fresh.

A trigger does, whoever writes: a process of an earlier version too, which may run beside newer ones during a deploy.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_POSTGRES = (
    """CREATE TABLE IF NOT EXISTS memory_people (
        person uuid PRIMARY KEY, version bigint NOT NULL, edits bigint NOT NULL, revectored bigint NOT NULL
    )""",
    # A vector is written apart from all else (`rows.revector`), and nothing else is: an update that leaves the rest as
    # it was has changed it. A transaction notes its number once, however many rows it changes.
    """CREATE OR REPLACE FUNCTION memory_written() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    DECLARE
        this bigint := txid_current();
        edit boolean := TG_OP <> 'INSERT';
        revector boolean := false;
        whose uuid;
    BEGIN
        IF TG_OP = 'DELETE' THEN whose := OLD.person; ELSE whose := NEW.person; END IF;
        IF TG_OP = 'UPDATE' THEN
            revector := NEW.payload = OLD.payload AND NEW.superseded_by IS NOT DISTINCT FROM OLD.superseded_by;
        END IF;
        IF NOT EXISTS (
            SELECT FROM memory_people AS known WHERE known.person = whose AND known.version = this
            AND (known.edits = this OR NOT edit) AND (known.revectored = this OR NOT revector)
        ) THEN
            INSERT INTO memory_people AS known VALUES (whose, this, this, this) ON CONFLICT (person) DO UPDATE SET
                version = this,
                edits = CASE WHEN edit THEN this ELSE known.edits END,
                revectored = CASE WHEN revector THEN this ELSE known.revectored END;
        END IF;
        RETURN NULL;
    END $$""",
    "DROP TRIGGER IF EXISTS memory_written ON memories",
    """CREATE TRIGGER memory_written AFTER INSERT OR UPDATE OR DELETE ON memories
        FOR EACH ROW EXECUTE FUNCTION memory_written()""",
    """INSERT INTO memory_people SELECT DISTINCT person, txid_current(), txid_current(), txid_current() FROM memories
        ON CONFLICT DO NOTHING""",
)


def upgrade() -> None:
    """Keep the note, from everybody's memories as they are on; SQLite's tables have it from the first."""
    conn = op.get_bind()
    if conn.dialect.name != "sqlite":
        for statement in _POSTGRES:
            conn.exec_driver_sql(statement)
