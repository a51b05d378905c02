-- Version 2 of the journal: when statements were last called, as readings of pg_stat_statements tell.
CREATE TABLE replank.reading (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    at       timestamptz NOT NULL,  -- of the last one
    began    timestamptz NOT NULL,  -- no call was missed since then
    lost     text NOT NULL DEFAULT '',  -- why not since an earlier time
    first    timestamptz NOT NULL,  -- calls are counted since the first reading
    started  timestamptz NOT NULL,  -- the server
    reset    timestamptz,
    evicted  bigint NOT NULL
);

CREATE TABLE replank.called (
    role      oid NOT NULL,
    queryid   bigint NOT NULL,
    toplevel  boolean NOT NULL,
    calls     bigint NOT NULL,  -- as the last reading has it
    since     timestamptz,      -- when the server began to count them
    counted   bigint NOT NULL,  -- since the first reading
    last      timestamptz NOT NULL,  -- call, at the latest
    PRIMARY KEY (role, queryid, toplevel)
);

-- What complete has found out about a run: which statements need its old shape. It holds no literal.
CREATE TABLE replank.old_shape (
    run_id  bigint PRIMARY KEY REFERENCES replank.run ON DELETE CASCADE,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    found   jsonb NOT NULL
);

-- Which history owns a table, where two frameworks migrate one database.
CREATE TABLE replank.owner (
    table_name    text PRIMARY KEY,
    history       text NOT NULL,
    since         text NOT NULL DEFAULT '',
    requested_by  text NOT NULL DEFAULT '',
    at            timestamptz NOT NULL DEFAULT clock_timestamp()
);
