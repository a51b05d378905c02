-- Of each template the newest are kept.
WITH fresh AS (
    INSERT INTO replank.shadow_sample (at, template, method, path, failed, result)
    SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
    RETURNING template
)
DELETE FROM replank.shadow_sample s
WHERE s.template IN (SELECT template FROM fresh)
  AND s.id < (SELECT min(k.id) FROM (SELECT id FROM replank.shadow_sample o WHERE o.template = s.template ORDER BY id DESC LIMIT 100) k)
