-- Version 1 of the journal. Every table has a primary key: under a publication
-- FOR ALL TABLES an UPDATE of one without would fail (RULES 19).
CREATE SCHEMA IF NOT EXISTS replank;
COMMENT ON SCHEMA replank IS 'The journal of Replank: what was changed here, what is being changed, and how to take it back';

CREATE TABLE replank.meta (
    one                boolean PRIMARY KEY DEFAULT true CHECK (one),
    version            integer NOT NULL,
    system_identifier  text NOT NULL,
    database_oid       oid NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE replank.run (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    kind          text NOT NULL,
    state         text NOT NULL,
    version       integer NOT NULL DEFAULT 1,
    plan_hash     text NOT NULL DEFAULT '',
    schema_hash   text NOT NULL DEFAULT '',
    intent        text NOT NULL DEFAULT '' CHECK (intent IN ('', 'pause', 'cancel')),
    intent_by     text NOT NULL DEFAULT '',
    receipt       jsonb,
    error         text NOT NULL DEFAULT '',
    requested_by  text NOT NULL DEFAULT '',
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at   timestamptz
);
CREATE INDEX run_name ON replank.run (name);
CREATE INDEX run_unfinished ON replank.run (id) WHERE finished_at IS NULL;

-- The plan is needed as it is to go on after a crash, literals included. It
-- stands apart so that everything else may be shown to everybody.
CREATE TABLE replank.plan (
    run_id  bigint PRIMARY KEY REFERENCES replank.run ON DELETE CASCADE,
    plan    jsonb NOT NULL
);

CREATE TABLE replank.migration (
    name        text PRIMARY KEY,
    checksum    text NOT NULL,
    position    bigint NOT NULL,
    run_id      bigint REFERENCES replank.run,
    baseline    boolean NOT NULL DEFAULT false,
    applied_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE replank.step (
    run_id       bigint NOT NULL REFERENCES replank.run ON DELETE CASCADE,
    seq          integer NOT NULL,
    id           text NOT NULL,
    phase        text NOT NULL,
    kind         text NOT NULL,
    state        text NOT NULL DEFAULT 'pending'
                 CHECK (state IN ('pending', 'running', 'done', 'failed', 'skipped', 'reversing', 'reversed')),
    attempts     integer NOT NULL DEFAULT 0,
    started_at   timestamptz,
    finished_at  timestamptz,
    error        text NOT NULL DEFAULT '',
    detail       jsonb,
    PRIMARY KEY (run_id, seq),
    UNIQUE (run_id, id)
);

CREATE TABLE replank.event (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id  bigint REFERENCES replank.run ON DELETE CASCADE,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind    text NOT NULL,
    detail  jsonb
);
CREATE INDEX event_run ON replank.event (run_id, id);

CREATE TABLE replank.lease (
    name           text PRIMARY KEY,
    epoch          bigint NOT NULL DEFAULT 0,
    token          text,
    lease_until    timestamptz NOT NULL DEFAULT '-infinity',
    since          timestamptz,
    holder         text NOT NULL DEFAULT '',
    host           text NOT NULL DEFAULT '',
    os_pid         integer NOT NULL DEFAULT 0,
    application    text NOT NULL DEFAULT '',
    pid            integer NOT NULL DEFAULT 0,
    backend_start  text NOT NULL DEFAULT ''
);

-- Server processes that work for the holder of a lease (RULES 16).
CREATE TABLE replank.backend (
    pid            integer NOT NULL,
    backend_start  text NOT NULL,
    lease          text NOT NULL,
    epoch          bigint NOT NULL,
    run_id         bigint REFERENCES replank.run ON DELETE CASCADE,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (pid, backend_start)
);

CREATE TABLE replank.range (
    run_id      bigint NOT NULL REFERENCES replank.run ON DELETE CASCADE,
    step_id     text NOT NULL,
    slice       integer NOT NULL,
    lo          jsonb,
    hi          jsonb,
    position    jsonb,
    rows        bigint NOT NULL DEFAULT 0,
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'dirty', 'done')),
    epoch       bigint NOT NULL DEFAULT 0,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, step_id, slice)
);

CREATE TABLE replank.rejected (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id    bigint NOT NULL REFERENCES replank.run ON DELETE CASCADE,
    step_id   text NOT NULL,
    key       jsonb NOT NULL,
    error     text NOT NULL,
    sqlstate  text NOT NULL,
    waived    boolean NOT NULL DEFAULT false,
    at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX rejected_key ON replank.rejected (run_id, step_id, md5(key::text));

-- ALTER DEFAULT PRIVILEGES may have granted the plan to somebody just now.
DO $$
DECLARE
    grantee text;
BEGIN
    REVOKE ALL ON replank.plan FROM PUBLIC;
    FOR grantee IN
        SELECT DISTINCT quote_ident(r.rolname)
        FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'replank.plan'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE 'REVOKE ALL ON replank.plan FROM ' || grantee;
    END LOOP;
END
$$;
