-- Put before every query of this folder. ns: the schemas whose objects belong to the user; ext: what belongs to an extension.
WITH ns AS (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND nspname <> ALL ($1::text[])
), ext AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
)
