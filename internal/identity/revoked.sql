-- A session is ended by its own name, or with all of its user's that had begun by then. One that shares its name with
-- later logins, too, is told apart by its time. What has no time counts as early.
SELECT EXISTS (SELECT FROM replank.revoked
               WHERE sid = $1 AND ($3::boolean OR $4::timestamptz IS NULL OR $4::timestamptz <= before))
    OR EXISTS (SELECT FROM replank.revoked
               WHERE sub = $2 AND ($4::timestamptz IS NULL OR $4::timestamptz <= before))
