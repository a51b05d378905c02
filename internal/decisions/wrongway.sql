INSERT INTO replank.wrong_way AS w (why, caller_app, caller, method, route, refused, allowed, first_seen, last_seen)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::timestamptz[], $9::timestamptz[])
    AS c(why, caller_app, caller, method, route, refused, allowed, first_seen, last_seen)
ORDER BY why, caller_app, caller, method, route
ON CONFLICT (why, caller_app, caller, method, route) DO UPDATE
SET refused = w.refused + excluded.refused, allowed = w.allowed + excluded.allowed,
    first_seen = least(w.first_seen, excluded.first_seen), last_seen = greatest(w.last_seen, excluded.last_seen)
