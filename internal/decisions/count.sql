INSERT INTO replank.traffic AS t (day, template, method, answered_by, requests, errors)
SELECT * FROM unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[]) AS c(day, template, method, answered_by, requests, errors)
ORDER BY day, template, method, answered_by
ON CONFLICT (day, template, method, answered_by) DO UPDATE
SET requests = t.requests + excluded.requests, errors = t.errors + excluded.errors
