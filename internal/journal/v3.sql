-- Version 3 of the journal: what people have decided about routes, where tenants are, how the two applications are used,
-- and what gateways and applications share about identities.

-- A decision about a template of one application. A template without a row has none: who has the route answers.
CREATE TABLE replank.route (
    app             text NOT NULL CHECK (app IN ('modern', 'legacy')),
    template        text NOT NULL CHECK (length(template) BETWEEN 1 AND 2000),
    phase           text CHECK (phase IN ('legacy', 'shadow', 'canary', 'modern', 'retired')),
    canary          jsonb,  -- who goes to the modern application in phase canary
    shadow_writes   boolean NOT NULL DEFAULT false,  -- in phase shadow: requests that write are compared, too
    owner           text NOT NULL DEFAULT '',
    waived_because  text,   -- why it will not be ported
    waived_at       date,
    waived_until    date,
    changed_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by      text NOT NULL,
    PRIMARY KEY (app, template),
    CHECK ((phase = 'canary') = (canary IS NOT NULL) OR phase IS NULL AND canary IS NULL),
    CHECK (NOT shadow_writes OR phase IS NOT DISTINCT FROM 'shadow'),
    CHECK ((waived_because IS NULL) = (waived_at IS NULL)),
    CHECK (waived_until IS NULL OR waived_at IS NOT NULL)
);

-- Which decisions there are: gateways ask for this number, and read the rows when it has changed.
CREATE TABLE replank.route_version (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    version  bigint NOT NULL
);
INSERT INTO replank.route_version (version) VALUES (0);

CREATE TABLE replank.route_event (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    version   bigint NOT NULL,
    app       text NOT NULL,
    template  text NOT NULL,
    before    text,  -- the phases; NULL: none
    after     text,
    because   text NOT NULL DEFAULT '',
    by        text NOT NULL
);

-- How often a template was called on a day, and who answered.
CREATE TABLE replank.traffic (
    day          date NOT NULL,
    template     text NOT NULL,  -- '' where nobody knows the route
    method       text NOT NULL,
    answered_by  text NOT NULL CHECK (answered_by IN ('modern', 'legacy', 'nobody')),
    requests     bigint NOT NULL,
    errors       bigint NOT NULL,  -- status 500 and above
    PRIMARY KEY (day, template, method, answered_by)
);

-- What comparing both applications' answers in phase shadow has found on a day.
CREATE TABLE replank.shadow (
    day        date NOT NULL,
    template   text NOT NULL,
    same       bigint NOT NULL,
    different  bigint NOT NULL,
    failed     bigint NOT NULL,  -- not compared: no answer, or too large
    dropped    bigint NOT NULL,  -- not compared: no room, or the client had gone
    PRIMARY KEY (day, template)
);

-- Some of the differences, without secrets: the last ones of each template.
CREATE TABLE replank.shadow_sample (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL,
    template  text NOT NULL,
    method    text NOT NULL,
    path      text NOT NULL,
    failed    text NOT NULL DEFAULT '',
    result    jsonb NOT NULL
);
CREATE INDEX shadow_sample_template ON replank.shadow_sample (template, id);

-- A key is published, then signs until its successor does, and is published until its last token has expired. Which one
-- signs follows from the times and the database's clock: nobody has to be told.
CREATE TABLE replank.signing_key (
    kid              text PRIMARY KEY,
    public           bytea NOT NULL CHECK (length(public) = 32),
    private          bytea NOT NULL,           -- the seed, or nonce and sealed seed
    sealed           boolean NOT NULL,
    published_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    signs_from       timestamptz NOT NULL,
    signs_until      timestamptz NOT NULL,
    published_until  timestamptz NOT NULL,
    CHECK (published_at <= signs_from AND signs_from < signs_until AND signs_until < published_until)
);

-- Sessions that were ended before their time: one by its name, or all that a subject had.
CREATE TABLE replank.revoked (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sid     text CHECK (length(sid) <= 128),
    sub     text CHECK (length(sub) <= 256),
    before  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (num_nonnulls(sid, sub) = 1)
);
CREATE INDEX revoked_sid ON replank.revoked (sid) WHERE sid IS NOT NULL;
CREATE INDEX revoked_sub ON replank.revoked (sub) WHERE sub IS NOT NULL;
CREATE INDEX revoked_before ON replank.revoked (before);

-- The applications end sessions through this, in their own transaction, and need no right on the tables. It returns the
-- clock that login times are compared with.
CREATE FUNCTION replank.revoke(session text, subject text) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    at timestamptz := clock_timestamp();
BEGIN
    IF session IS NOT NULL THEN
        INSERT INTO replank.revoked (sid, before) VALUES (session, at);
        PERFORM pg_notify('replank_gateway', 'revoked sid:' || session);
    END IF;
    IF subject IS NOT NULL THEN
        INSERT INTO replank.revoked (sub, before) VALUES (subject, at);
        PERFORM pg_notify('replank_gateway', 'revoked sub:' || subject);
    END IF;
    RETURN at;
END
$$;
-- Whoever may call it can log others out. GRANT EXECUTE to the applications' roles.
REVOKE ALL ON FUNCTION replank.revoke(text, text) FROM PUBLIC;

-- ALTER DEFAULT PRIVILEGES may have granted the private keys to somebody just now.
DO $$
DECLARE
    grantee text;
BEGIN
    REVOKE ALL ON replank.signing_key FROM PUBLIC;
    FOR grantee IN
        SELECT DISTINCT quote_ident(r.rolname)
        FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'replank.signing_key'::regclass AND a.grantee <> c.relowner
    LOOP
        EXECUTE 'REVOKE ALL ON replank.signing_key FROM ' || grantee;
    END LOOP;
END
$$;

-- One way only: what goes from the legacy application to the modern one, and what goes round.

-- Requests that one application sent while it served another, against the rule. They were refused, or let through because
-- of a waiver.
CREATE TABLE replank.wrong_way (
    why         text NOT NULL CHECK (why IN ('direction', 'loop')),
    caller_app  text NOT NULL CHECK (caller_app IN ('modern', 'legacy')),
    caller      text NOT NULL CHECK (length(caller) <= 500),  -- the template that it served; '' where nobody knows it
    method      text NOT NULL,
    route       text NOT NULL CHECK (length(route) <= 500),   -- the template that it called
    refused     bigint NOT NULL,
    allowed     bigint NOT NULL,
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    PRIMARY KEY (why, caller_app, caller, method, route)
);

-- Calls of the modern application by the legacy one that are let through until a day; * stands for every template.
CREATE TABLE replank.wrong_way_waiver (
    caller   text NOT NULL CHECK (length(caller) <= 500),
    route    text NOT NULL CHECK (length(route) <= 500),
    because  text NOT NULL CHECK (because <> ''),
    at       date NOT NULL DEFAULT current_date,
    until    date NOT NULL,  -- the last day
    by       text NOT NULL,
    PRIMARY KEY (caller, route)
);

-- What gateways recognise each other's hop tokens by. Such a token gives no right, it can only take one away: who knows
-- the secret can have his own requests refused.
CREATE TABLE replank.hop_secret (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    secret  bytea NOT NULL CHECK (length(secret) = 32)
);

-- Where tenants are. One without a row is settled, and the routes decide who answers it. Every change raises
-- placement_epoch under that row's lock: a higher number stands for a later change.
CREATE TABLE replank.placement_epoch (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch  bigint NOT NULL
);
INSERT INTO replank.placement_epoch (epoch) VALUES (0);

CREATE TABLE replank.placement (
    tenant      text PRIMARY KEY CHECK (length(tenant) BETWEEN 1 AND 256),
    app         text CHECK (app IN ('modern', 'legacy')),  -- NULL: the routes decide
    state       text NOT NULL CHECK (state IN ('settled', 'fenced', 'moving')),
    epoch       bigint NOT NULL UNIQUE,
    until       timestamptz,  -- how long requests may wait; after it they are refused until somebody settles the tenant
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by  text NOT NULL,
    CHECK ((state = 'settled') = (until IS NULL))
);

-- Gateways at work: which epoch each one follows, and how many requests it still has of tenants that are not settled. A
-- fence is in force when all of them follow it and have none.
CREATE TABLE replank.gateway (
    id          text PRIMARY KEY,
    name        text NOT NULL,     -- for people
    tenants     boolean NOT NULL,  -- it can tell tenants apart
    epoch       bigint NOT NULL,   -- -1: it has read nothing yet, and lets no tenant pass
    in_flight   jsonb NOT NULL DEFAULT '{}',
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
