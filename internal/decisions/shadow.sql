INSERT INTO replank.shadow AS s (day, template, same, different, failed, dropped)
SELECT * FROM unnest($1::date[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) AS c(day, template, same, different, failed, dropped)
ORDER BY day, template
ON CONFLICT (day, template) DO UPDATE
SET same = s.same + excluded.same, different = s.different + excluded.different,
    failed = s.failed + excluded.failed, dropped = s.dropped + excluded.dropped
